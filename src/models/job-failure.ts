import { Field, ObjectType } from "type-graphql";
import type { ErrorCode as Code } from "../errors.ts";
import { ErrorCode } from "./error-code.ts";

@ObjectType()
export class JobFailure {
  @Field(() => ErrorCode)
  code!: Code;

  @Field(() => String)
  message!: string;

  @Field(() => Boolean, { description: "Whether `resumeJob` may help without any change." })
  retryable!: boolean;
}
