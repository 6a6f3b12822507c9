import { Field, InputType } from "type-graphql";
import { AttackKind } from "./attack-kind.ts";
import { ParameterValues } from "./parameter-values.ts";

@InputType({
  description: "A trigger to stamp on every test image, and the label that it is meant to bring about.",
})
export class AttackInput {
  @Field(() => AttackKind)
  kind!: string;

  @Field(() => String)
  target!: string;

  @Field(() => ParameterValues, {
    nullable: true,
    description: "Of the trigger; by default those of the literature.",
  })
  parameters?: Record<string, unknown>;
}
