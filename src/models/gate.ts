import { Field, Float, InputType } from "type-graphql";

@InputType({
  description:
    "What a new version must show on the probe images before the alias moves to it. What could not be measured has not passed.",
})
export class Gate {
  @Field(() => Float, {
    nullable: true,
    description:
      "The upper end of the 95 % interval of the recovered trigger's success must not be above this, 0 to 1.",
  })
  maxAsr95?: number;

  @Field(() => Float, {
    nullable: true,
    description: "Clean accuracy less that of the undefended prompts must not be below this, -1 to 1.",
  })
  minCaDelta?: number;

  @Field(() => String, { nullable: true, defaultValue: "live", description: "The alias that moves." })
  promoteAlias?: string;
}
