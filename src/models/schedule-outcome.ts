import { Field, ObjectType } from "type-graphql";
import type { OutcomeRecord } from "../services/schedules/records.ts";
import { DateTime } from "./date-time.ts";
import { ScheduleOutcomeKind } from "./schedule-outcome-kind.ts";

@ObjectType({ description: "What came of evaluations that were made on schedule." })
export class ScheduleOutcome {
  readonly record!: OutcomeRecord;

  @Field(() => ScheduleOutcomeKind)
  outcome!: string;

  @Field(() => DateTime, { description: "When it was judged." })
  at!: string;

  @Field(() => DateTime)
  dueAt!: string;

  @Field(() => [String], { description: "What does not hold, or could not be measured." })
  reasons!: string[];
}
