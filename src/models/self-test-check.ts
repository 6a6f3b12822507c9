import { Field, Float, ObjectType } from "type-graphql";

@ObjectType({ description: "One thing that holds for every sound CLIP." })
export class SelfTestCheck {
  @Field(() => String, { description: "Such as imageNorm or textPadding." })
  name!: string;

  @Field(() => Boolean)
  passed!: boolean;

  @Field(() => Float)
  measured!: number;

  @Field(() => Float, {
    description: "The most it may be; for imagesDiffer and textsDiffer, what it must exceed.",
  })
  limit!: number;
}
