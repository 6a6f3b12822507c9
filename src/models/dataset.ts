import { Field, Int, ObjectType } from "type-graphql";
import { ClassSize } from "./class-size.ts";
import { DateTime } from "./date-time.ts";
import { Digest } from "./digest.ts";
import { Node } from "./node.ts";

@ObjectType({
  implements: Node,
  description: "Labelled images: the few clean shots for CBPT, or a test set.",
})
export class Dataset extends Node {
  @Field(() => String)
  name!: string;

  @Field(() => [String], { description: "In the order in which they were first added." })
  labels!: string[];

  @Field(() => Int, { description: "Number of images." })
  size!: number;

  @Field(() => [ClassSize])
  classes!: ClassSize[];

  @Field(() => Digest, {
    description: "Of the list of labels and image digests: the same examples, the same digest.",
  })
  digest!: string;

  @Field(() => DateTime)
  createdAt!: string;
}
