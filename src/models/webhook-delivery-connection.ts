import { Field, ObjectType } from "type-graphql";
import { PageInfo } from "./page-info.ts";
import { WebhookDeliveryEdge } from "./webhook-delivery-edge.ts";

@ObjectType()
export class WebhookDeliveryConnection {
  @Field(() => [WebhookDeliveryEdge], { description: "Newest first; kept for 30 days." })
  edges!: WebhookDeliveryEdge[];

  @Field(() => PageInfo)
  pageInfo!: PageInfo;
}
