import { Field, Float, Int, ObjectType } from "type-graphql";
import type { ViewName } from "../engine/second-look/views.ts";
import { ImageView } from "./image-view.ts";
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
      "Whether purified and undefended prompts put different labels first, of all that the version has, as they do under a trigger. Such an image is looked at again (`view`), or else answered by the version's recovery prompts, which find its own class again as far as its embedding has it.",
  })
  recovered!: boolean;

  @Field(() => ImageView, {
    nullable: true,
    description:
      "The view whose answer this is, after a second look: of those in which purified and undefended prompts agreed on the class, the one that they were surest in; null where no second look was taken, or its views spoke for no other class. An image is looked at again where it is `recovered`, and where it is given a class that the audit suspected.",
  })
  view?: ViewName;

  @Field(() => Boolean, {
    description: "Whether the embedding was known from an earlier request of the tenant.",
  })
  cached!: boolean;
}
