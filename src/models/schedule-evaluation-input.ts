import { Field, ID, InputType, Int } from "type-graphql";
import { AliasRef } from "./alias-ref.ts";
import { AttackInput } from "./attack-input.ts";
import { DateTime } from "./date-time.ts";
import { ScheduleGate } from "./schedule-gate.ts";

@InputType({ description: "Which alias to evaluate how often, and what must go on to hold." })
export class ScheduleEvaluationInput {
  @Field(() => AliasRef)
  ref!: AliasRef;

  @Field(() => ID, { description: "The test images. A schedule always takes what the dataset has then." })
  datasetId!: string;

  @Field(() => [AttackInput], {
    nullable: true,
    description:
      "Each is an evaluation of its own; without any, clean accuracy alone is measured. At most 10.",
  })
  attacks?: AttackInput[];

  @Field(() => Int, { description: "60 seconds to 366 days." })
  everySeconds!: number;

  @Field(() => DateTime, { nullable: true, description: "When it is due first; at once by default." })
  startAt?: string;

  @Field(() => ScheduleGate)
  gate!: ScheduleGate;
}
