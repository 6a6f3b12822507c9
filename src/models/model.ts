import { Field, ObjectType } from "type-graphql";
import { Digest } from "./digest.ts";
import { Node } from "./node.ts";
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

  @Field(() => Trust)
  trust!: Trust;

  @Field(() => Boolean, { description: "Whether it is in memory; the first image loads it." })
  loaded!: boolean;
}
