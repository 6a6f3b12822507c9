import { Field, ObjectType } from "type-graphql";
import { UserError } from "./user-error.ts";
import { WebhookDelivery } from "./webhook-delivery.ts";

@ObjectType()
export class WebhookTestPayload {
  @Field(() => WebhookDelivery, { nullable: true, description: "Look again at Webhook.deliveries." })
  delivery?: WebhookDelivery;

  @Field(() => [UserError], { description: "Empty when it was done." })
  userErrors!: UserError[];
}
