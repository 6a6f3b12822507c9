import { Field, Float, ObjectType } from "type-graphql";
import { Digest } from "./digest.ts";

@ObjectType({ description: "What the model answered to a fixed input." })
export class RecordedEmbedding {
  @Field(() => Digest, { description: "Of the embedding rounded to thousandths." })
  digest!: string;

  @Field(() => [Float], { description: "The first eight values." })
  first!: number[];
}
