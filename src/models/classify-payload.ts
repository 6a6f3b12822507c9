import { Field, ObjectType } from "type-graphql";
import { ImageOutcome } from "./image-outcome.ts";
import { Model } from "./model.ts";
import { PromptVersion } from "./prompt-version.ts";
import { Timing } from "./timing.ts";

@ObjectType()
export class ClassifyPayload {
  @Field(() => [ImageOutcome], { description: "One for each image, in the order of the request." })
  results!: ImageOutcome[];

  @Field(() => PromptVersion, {
    nullable: true,
    description: "The version that answered; none when undefended templates did.",
  })
  served?: PromptVersion;

  @Field(() => Model)
  model!: Model;

  @Field(() => Timing)
  timing!: Timing;
}
