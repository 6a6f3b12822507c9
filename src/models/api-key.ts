import { Field, ObjectType } from "type-graphql";
import type { Scope as ScopeName } from "../services/access-records.ts";
import { DateTime } from "./date-time.ts";
import { Node } from "./node.ts";
import { Scope } from "./scope.ts";

@ObjectType({
  implements: Node,
  description: "A key's record. The key itself is shown once, when it is created.",
})
export class ApiKey extends Node {
  @Field(() => String)
  name!: string;

  @Field(() => String)
  tenant!: string;

  @Field(() => [Scope])
  scopes!: ScopeName[];

  @Field(() => DateTime)
  createdAt!: string;

  @Field(() => DateTime, { nullable: true, description: "From then on it is refused." })
  expiresAt?: string;

  @Field(() => DateTime, { nullable: true, description: "When it was last given a new secret." })
  rotatedAt?: string;

  @Field(() => DateTime, { nullable: true })
  revokedAt?: string;

  @Field(() => DateTime, { nullable: true, description: "To within five minutes." })
  lastUsedAt?: string;
}
