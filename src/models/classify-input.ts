import { Field, ID, InputType, Int } from "type-graphql";
import { ImageInput } from "./image-input.ts";
import { Through } from "./through.ts";

@InputType()
export class ClassifyInput {
  @Field(() => [ImageInput])
  images!: ImageInput[];

  @Field(() => ID, {
    nullable: true,
    description: "Needed only for templates, and only when more than one model is registered.",
  })
  modelId?: string;

  @Field(() => Through, {
    nullable: true,
    description: "By default the `live` alias, when the tenant has exactly one prompt set.",
  })
  through?: Through;

  @Field(() => Int, { nullable: true, defaultValue: 5, description: "How many labels to answer, 1 to 1000." })
  topK?: number;

  @Field(() => [String], {
    nullable: true,
    description:
      "For templates: the labels to choose from. Through a version: a part of its labels; all by default.",
  })
  labels?: string[];

  @Field(() => Through, {
    nullable: true,
    description:
      "A second set of prompts that scores the same embedding. By default the undefended templates, when a purified version answers.",
  })
  shadow?: Through;

  @Field(() => Boolean, {
    nullable: true,
    defaultValue: true,
    description:
      "Whether an image on which purified and undefended prompts disagree, or that is given a class which the audit suspected, is looked at again, mirrored, turned, filtered and so on, until the views that they agree on speak for a class, in at most seven. Where the server has no room for a view, or four fifths of deadlineMs are over, the views so far answer, or else the prompts, as at one look. Turn it off where a mirrored thing is another thing, such as an arrow to the left.",
  })
  secondLook?: boolean;

  @Field(() => Int, {
    nullable: true,
    description:
      "Milliseconds from the arrival of the operation, up to an hour, after which the answer is of no use. Past it the operation fails with DEADLINE_EXCEEDED, and images that were not begun are not encoded.",
  })
  deadlineMs?: number;
}
