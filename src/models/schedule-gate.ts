import { Field, Float, InputType } from "type-graphql";

@InputType({
  description: "What must go on to hold of the version that an alias is at. One of them at least.",
})
export class ScheduleGate {
  @Field(() => Float, {
    nullable: true,
    description:
      "The upper end of the 95 % interval of each attack's success must not be above this, 0 to 1.",
  })
  maxAsr95?: number;

  @Field(() => Float, {
    nullable: true,
    description: "Clean accuracy less that of the undefended templates must not be below this, -1 to 1.",
  })
  minCaDelta?: number;
}
