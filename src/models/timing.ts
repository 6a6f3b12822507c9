import { Field, Float, Int, ObjectType } from "type-graphql";

@ObjectType({ description: "Where the time went, but for second looks." })
export class Timing {
  @Field(() => Float, { description: "Waiting for the device." })
  queueMs!: number;

  @Field(() => Float, { description: "Decoding and resizing." })
  preprocessMs!: number;

  @Field(() => Float, { description: "The image encoder." })
  inferMs!: number;

  @Field(() => Int, {
    description: "The largest batch that this request's images were in, with those of others.",
  })
  batchSize!: number;
}
