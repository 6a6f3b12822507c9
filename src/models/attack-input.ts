import { Field, ID, InputType } from "type-graphql";
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

  @Field(() => ID, {
    nullable: true,
    description:
      "For an attack whose trigger is fitted: the job of implantBackdoor that fitted it. By default the trigger that lies beside the model, if it was poisoned here; a new one when a model is poisoned.",
  })
  trigger?: string;

  @Field(() => Boolean, {
    nullable: true,
    description:
      "For an attack with a word: whether it stands before every prompt that triggered images are scored by. By default it does, except before the prompts of a version, which take none.",
  })
  withWord?: boolean;
}
