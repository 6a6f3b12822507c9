import { Field, ID, InputType } from "type-graphql";
import { CbptInput } from "./cbpt-input.ts";

/** What an audit and a purification have in common: they search a model for triggers. */
@InputType()
export abstract class SearchInput extends CbptInput {
  @Field(() => ID)
  modelId!: string;

  @Field(() => ID, { description: "A dataset with some clean shots of every label." })
  datasetId!: string;

  @Field(() => [String], { nullable: true, description: "By default all of the dataset's." })
  labels?: string[];

  @Field(() => [String], {
    nullable: true,
    description:
      "The labels to search triggers for, two or more; by default all. The search costs in proportion to them, and a backdoor to another label may be missed.",
  })
  targets?: string[];

  @Field(() => [String], {
    nullable: true,
    description: "The undefended prompts to start from and to compare with; by default the model's.",
  })
  templates?: string[];
}
