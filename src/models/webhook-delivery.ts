import { Field, ID, Int, ObjectType } from "type-graphql";
import { DateTime } from "./date-time.ts";
import { WebhookDeliveryStatus } from "./webhook-delivery-status.ts";

@ObjectType({ description: "One event on its way to one webhook." })
export class WebhookDelivery {
  @Field(() => ID, { description: "The header webhook-id, the same at every attempt." })
  id!: string;

  @Field(() => String, { description: "As in the body's `type`, e.g. job.succeeded." })
  event!: string;

  @Field(() => String, { description: "The JSON that is sent." })
  body!: string;

  @Field(() => DateTime)
  createdAt!: string;

  @Field(() => WebhookDeliveryStatus)
  status!: WebhookDeliveryStatus;

  @Field(() => Int)
  attempts!: number;

  @Field(() => DateTime, { nullable: true })
  lastAttemptAt?: string;

  @Field(() => Int, { nullable: true, description: "The HTTP status of the last attempt's answer." })
  lastStatus?: number;

  @Field(() => String, { nullable: true, description: "Why the last attempt had no answer." })
  lastError?: string;

  @Field(() => DateTime, { nullable: true })
  nextAttemptAt?: string;
}
