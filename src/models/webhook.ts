import { Field, Int, ObjectType } from "type-graphql";
import type { WebhookEvent as EventName } from "../services/webhooks/records.ts";
import { DateTime } from "./date-time.ts";
import { Node } from "./node.ts";
import { WebhookEvent } from "./webhook-event.ts";

@ObjectType({
  implements: Node,
  description: "A URL that is told of events, signed as in Standard Webhooks, at least once each.",
})
export class Webhook extends Node {
  @Field(() => String)
  url!: string;

  @Field(() => [WebhookEvent])
  events!: EventName[];

  @Field(() => DateTime)
  createdAt!: string;

  @Field(() => Int, { description: "Attempts that failed since the last that succeeded." })
  failures!: number;

  @Field(() => DateTime, { nullable: true, description: "Since then nothing is sent." })
  disabledAt?: string;

  @Field(() => String, { nullable: true })
  disabledReason?: string;
}
