import { Field, ObjectType } from "type-graphql";
import { DateTime } from "./date-time.ts";
import { Node } from "./node.ts";

@ObjectType({
  implements: Node,
  description: "Owns datasets, prompt sets, jobs and keys, and sees no one else's.",
})
export class Tenant extends Node {
  @Field(() => String)
  name!: string;

  @Field(() => DateTime)
  createdAt!: string;

  @Field(() => DateTime, { nullable: true, description: "Since then its keys are refused." })
  suspendedAt?: string;

  @Field(() => String, { nullable: true, description: "What its callers are told." })
  suspendedFor?: string;
}
