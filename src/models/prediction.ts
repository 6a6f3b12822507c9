import { Field, Float, Int, ObjectType } from "type-graphql";
import { Scored } from "./scored.ts";
import { Suspicion } from "./suspicion.ts";

@ObjectType({ description: "What an image was classified as." })
export class Prediction {
  @Field(() => Int, { description: "The image's place in the request." })
  index!: number;

  @Field(() => [Scored], { description: "The topK most probable, best first." })
  labels!: Scored[];

  @Field(() => Float, { description: "Probability of the best label less that of the second." })
  margin!: number;

  @Field(() => [Scored], {
    nullable: true,
    description: "The same image embedding scored by the shadow prompts.",
  })
  shadow?: Scored[];

  @Field(() => Boolean, {
    nullable: true,
    description:
      "Whether the shadow prompts put another label first. For undefended prompts a sign of a trigger.",
  })
  disagreement?: boolean;

  @Field(() => Suspicion, {
    nullable: true,
    description:
      "Of a purified version, by all its labels, whichever are asked for; null for templates, and for versions that were never calibrated.",
  })
  suspicion?: Suspicion;

  @Field(() => Boolean, {
    description:
      "Whether the version's recovery prompts answered, which find an image's own class again under a trigger: they do where purified and undefended prompts put different labels first, of all that the version has.",
  })
  recovered!: boolean;

  @Field(() => Boolean, {
    description: "Whether the embedding was known from an earlier request of the tenant.",
  })
  cached!: boolean;
}
