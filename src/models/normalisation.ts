import { Field, Float, ObjectType } from "type-graphql";

@ObjectType({ description: "Red, green and blue become (x − mean) / deviation, from pixels in [0, 1]." })
export class Normalisation {
  @Field(() => [Float])
  mean!: number[];

  @Field(() => [Float])
  deviation!: number[];

  @Field(() => Boolean, {
    description: "Whether an operator has said so, against the model's configuration.",
  })
  overridden!: boolean;
}
