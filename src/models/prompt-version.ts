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

  @Field(() => Int, {
    description:
      "Counts the versions of a prompt set, from 1; asked for by id, of the set that had it first.",
  })
  number!: number;

  @Field(() => Digest, {
    description: "Of the manifest, which holds the digests of all that it consists of.",
  })
  digest!: string;

  @Field(() => [String])
  labels!: string[];

  @Field(() => String, {
    nullable: true,
    description: "The name of the key that imported it; none for a version that was made here.",
  })
  importedBy?: string;

  @Field(() => DateTime)
  createdAt!: string;
}
