import { Field, ObjectType } from "type-graphql";
import { UserError } from "./user-error.ts";
import { Webhook } from "./webhook.ts";

@ObjectType()
export class WebhookPayload {
  @Field(() => Webhook, { nullable: true })
  webhook?: Webhook;

  @Field(() => String, {
    nullable: true,
    description: "What requests are signed with, when it is made; it cannot be shown again.",
  })
  secret?: string;

  @Field(() => [UserError], { description: "Empty when it was done." })
  userErrors!: UserError[];
}
