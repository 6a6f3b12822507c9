import { Field, ID, InputType, Int } from "type-graphql";
import { Defence } from "./defence.ts";
import { ParameterValues } from "./parameter-values.ts";
import { ShotsInput } from "./shots-input.ts";

@InputType({
  description:
    "A suspect model, clean shots, and how to defend it. There is no place for a target or a trigger: a defence does not know them.",
})
export class DefendInput extends ShotsInput {
  @Field(() => ID, { description: "To change its weights it has to be in open_clip's layout." })
  modelId!: string;

  @Field(() => Defence)
  defence!: string;

  @Field(() => ID, { description: "A dataset with some clean shots of every label." })
  datasetId!: string;

  @Field(() => String, {
    nullable: true,
    description:
      "For a defence that makes prompts: the prompt set that gets the version; made when there is none of that name.",
  })
  promptSet?: string;

  @Field(() => String, {
    nullable: true,
    description:
      "For a defence that makes weights: what the new model is to be called; none has that name yet.",
  })
  name?: string;

  @Field(() => [String], { nullable: true, description: "By default all of the dataset's." })
  labels?: string[];

  @Field(() => [String], {
    nullable: true,
    description: "Sentences with {} for a label: the undefended prompts, and the captions to fine-tune with.",
  })
  templates?: string[];

  @Field(() => ParameterValues, { nullable: true, description: "Of the defence; `defences` lists them." })
  parameters?: Record<string, unknown>;

  @Field(() => Int, {
    nullable: true,
    defaultValue: 1,
    description: "Of everything random; the same seed gives the same result.",
  })
  seed?: number;
}
