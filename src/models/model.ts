import { Field, Int, ObjectType } from "type-graphql";
import { BigIntScalar } from "./big-int.ts";
import { Digest } from "./digest.ts";
import { Node } from "./node.ts";
import { Normalisation } from "./normalisation.ts";
import { SelfTest } from "./self-test.ts";
import { Trust } from "./trust.ts";

@ObjectType({ implements: Node, description: "A CLIP checkpoint that an operator has registered." })
export class Model extends Node {
  @Field(() => String, { description: "The name of its folder in the models folder." })
  name!: string;

  @Field(() => String, { description: "Image and text architecture, in words." })
  arch!: string;

  @Field(() => Digest, { description: "Of the weights file." })
  weights!: string;

  @Field(() => Digest, { description: "Of the image size, mean, deviation and resampling." })
  preprocessing!: string;

  @Field(() => String, { description: "The layout of its files, such as open_clip." })
  format!: string;

  @Field(() => BigIntScalar, {
    nullable: true,
    description: "Learned numbers; null for exports, whose graphs are not counted.",
  })
  parameters?: number;

  @Field(() => [String], { description: "How its weights are stored, such as F32 or BF16." })
  dtypes!: string[];

  @Field(() => BigIntScalar, { description: "Of the files that it is read from." })
  bytes!: number;

  @Field(() => Int, { description: "Most tokens of a text." })
  contextLength!: number;

  @Field(() => Normalisation)
  normalisation!: Normalisation;

  @Field(() => SelfTest)
  selfTest!: SelfTest;

  @Field(() => [String], {
    description: "What an operator should know: tensors that nothing reads, answers that have changed.",
  })
  warnings!: string[];

  @Field(() => String, {
    nullable: true,
    description: "The repository and commit that it was imported from; null for files of this machine.",
  })
  source?: string;

  @Field(() => Trust)
  trust!: Trust;

  @Field(() => Boolean, { description: "Whether it is in memory; the first image loads it." })
  loaded!: boolean;
}
