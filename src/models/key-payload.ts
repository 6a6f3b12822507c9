import { Field, ObjectType } from "type-graphql";
import { ApiKey } from "./api-key.ts";
import { UserError } from "./user-error.ts";

@ObjectType()
export class KeyPayload {
  @Field(() => ApiKey, { nullable: true })
  key?: ApiKey;

  @Field(() => String, { nullable: true, description: "The key itself; it cannot be shown again." })
  secret?: string;

  @Field(() => [UserError], { description: "Empty when it was done." })
  userErrors!: UserError[];
}
