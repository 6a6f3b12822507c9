import { Field, Float, ObjectType } from "type-graphql";

@ObjectType({ description: "What a trigger does to an image; the pictures are data URLs of PNG files." })
export class AttackPreview {
  @Field(() => String, { description: "The image, resized and cropped." })
  clean!: string;

  @Field(() => String, { description: "With the trigger." })
  triggered!: string;

  @Field(() => String, {
    description:
      "Grey where nothing changed; what did is brighter or darker, `amplification` times as strong.",
  })
  difference!: string;

  @Field(() => Float, {
    nullable: true,
    description:
      "Peak signal-to-noise ratio in decibels: the higher, the harder to see. Null when nothing changed.",
  })
  psnr?: number;
}
