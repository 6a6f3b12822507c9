import { Field, ObjectType } from "type-graphql";
import { WebhookDelivery } from "./webhook-delivery.ts";

@ObjectType()
export class WebhookDeliveryEdge {
  @Field(() => String)
  cursor!: string;

  @Field(() => WebhookDelivery)
  node!: WebhookDelivery;
}
