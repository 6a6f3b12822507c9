import { Field, ID, ObjectType } from "type-graphql";
import { DateTime } from "./date-time.ts";

@ObjectType({ description: "One move of an alias." })
export class AliasMove {
  readonly evidenceId?: string;

  @Field(() => DateTime)
  at!: string;

  @Field(() => String, { description: "The name of the key that moved it, or the job." })
  by!: string;

  @Field(() => ID, { nullable: true, description: "The version before; none at the first move." })
  from?: string;

  @Field(() => ID)
  to!: string;

  @Field(() => String, { nullable: true })
  reason?: string;
}
