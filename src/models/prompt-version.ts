import { Field, Int, ObjectType } from "type-graphql";
import type { VersionRecord } from "../services/prompts.ts";
import { DateTime } from "./date-time.ts";
import { Digest } from "./digest.ts";
import { Node } from "./node.ts";

@ObjectType({
  implements: Node,
  description: "Purified prompts of one model, class by class. Immutable, and named by its digest.",
})
export class PromptVersion extends Node {
  readonly record!: VersionRecord;

  @Field(() => Int, { description: "Counts the versions of a prompt set, from 1." })
  number!: number;

  @Field(() => Digest, {
    description: "Of the manifest, which holds the digests of all that it consists of.",
  })
  digest!: string;

  @Field(() => [String])
  labels!: string[];

  @Field(() => DateTime)
  createdAt!: string;
}
