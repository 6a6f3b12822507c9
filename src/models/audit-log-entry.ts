import { Field, ID, Int, ObjectType } from "type-graphql";
import type { ErrorCode as Code } from "../errors.ts";
import { AuditOutcome } from "./audit-outcome.ts";
import { DateTime } from "./date-time.ts";
import { ErrorCode } from "./error-code.ts";

@ObjectType({ description: "A mutation that somebody asked for: who, when, what it touched, how it ended." })
export class AuditLogEntry {
  @Field(() => DateTime)
  at!: string;

  @Field(() => String, { description: "Whose key asked." })
  tenant!: string;

  @Field(() => ID)
  keyId!: string;

  @Field(() => String, { description: "The key's name." })
  key!: string;

  @Field(() => String, { description: "The mutation's name." })
  operation!: string;

  @Field(() => [ID], {
    description: "The ids that it named or made; of those that it named, the first 100.",
  })
  touched!: string[];

  @Field(() => Int, {
    description: "How many ids it named or made: more than `touched` has, where it named many.",
  })
  touchedCount!: number;

  @Field(() => AuditOutcome)
  outcome!: AuditOutcome;

  @Field(() => ErrorCode, { nullable: true, description: "Why nothing was done." })
  code?: Code;

  @Field(() => String, { description: "As in the answer's header x-request-id, and in the server's log." })
  requestId!: string;
}
