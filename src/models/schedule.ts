import { Field, Float, Int, ObjectType } from "type-graphql";
import type { ScheduleRecord } from "../services/schedules/records.ts";
import { DateTime } from "./date-time.ts";
import { Node } from "./node.ts";
import { ScheduledAttack } from "./scheduled-attack.ts";

@ObjectType({
  implements: Node,
  description:
    "Evaluations of the version that an alias is at, made again and again and held against a gate.",
})
export class Schedule extends Node {
  readonly record!: ScheduleRecord;

  @Field(() => String)
  promptSet!: string;

  @Field(() => String)
  alias!: string;

  @Field(() => [ScheduledAttack])
  attacks!: ScheduledAttack[];

  @Field(() => Int)
  everySeconds!: number;

  @Field(() => Float, { nullable: true })
  maxAsr95?: number;

  @Field(() => Float, { nullable: true })
  minCaDelta?: number;

  @Field(() => String, { description: "The name of the key that made it." })
  by!: string;

  @Field(() => DateTime)
  createdAt!: string;

  @Field(() => DateTime, { description: "What is missed while no server runs is made up for once." })
  nextAt!: string;
}
