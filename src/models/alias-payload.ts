import { Field, ObjectType } from "type-graphql";
import { Alias } from "./alias.ts";
import { UserError } from "./user-error.ts";

@ObjectType()
export class AliasPayload {
  @Field(() => Alias, { nullable: true })
  alias?: Alias;

  @Field(() => [UserError], { description: "Empty when it was done." })
  userErrors!: UserError[];
}
