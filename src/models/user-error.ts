import { Field, ObjectType } from "type-graphql";
import type { ErrorCode as Code } from "../errors.ts";
import { ErrorCode } from "./error-code.ts";

@ObjectType({ description: "Why a mutation did nothing: something that the caller can put right." })
export class UserError {
  @Field(() => ErrorCode)
  code!: Code;

  @Field(() => String)
  message!: string;

  @Field(() => [String], { description: "Which part of the input is meant; empty when it is the whole." })
  path!: string[];
}
