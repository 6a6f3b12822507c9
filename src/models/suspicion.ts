import { Field, Float, ObjectType } from "type-graphql";

@ObjectType({
  description:
    "How likely an image bears a trigger, from its one embedding: how far the purified prompts' prediction is from the undefended prompts'.",
})
export class Suspicion {
  @Field(() => Float, {
    description: "KL divergence of the purified from the undefended prediction, in nats, from 0.",
  })
  score!: number;

  @Field(() => Float, {
    description:
      "Share of clean calibration images with a lower score, 0 to 1; views of the shots are those images.",
  })
  rank!: number;

  @Field(() => Boolean, {
    description:
      "Whether the rank is above 0.99: about one false alarm in a hundred clean images, if the shots are like them.",
  })
  alarm!: boolean;
}
