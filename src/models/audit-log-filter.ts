import { Field, ID, InputType } from "type-graphql";
import type { ErrorCode as Code } from "../errors.ts";
import { DateTime } from "./date-time.ts";
import { ErrorCode } from "./error-code.ts";

@InputType({ description: "Entries that fit all of it." })
export class AuditLogFilter {
  @Field(() => String, {
    nullable: true,
    description: "Whose log; by default the caller's own. Another's only for the scope admin.",
  })
  tenant?: string;

  @Field(() => String, { nullable: true, description: "A mutation's name." })
  operation?: string;

  @Field(() => ID, { nullable: true })
  keyId?: string;

  @Field(() => ID, {
    nullable: true,
    description: "An id that was named or made, among those that an entry has.",
  })
  touched?: string;

  @Field(() => ErrorCode, { nullable: true, description: "Only what was refused for this." })
  code?: Code;

  @Field(() => DateTime, { nullable: true })
  from?: string;

  @Field(() => DateTime, { nullable: true, description: "Up to, but not including." })
  to?: string;
}
