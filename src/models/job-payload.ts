import { Field, ObjectType } from "type-graphql";
import { Job } from "./job.ts";
import { Plan } from "./plan.ts";
import { UserError } from "./user-error.ts";

@ObjectType()
export class JobPayload {
  @Field(() => Job, { nullable: true })
  job?: Job;

  @Field(() => Plan, { nullable: true, description: "Of a dry run, which has no job." })
  plan?: Plan;

  @Field(() => Boolean, {
    description: "Whether this answers an earlier request with the same idempotency key.",
  })
  replayed!: boolean;

  @Field(() => [UserError], { description: "Empty when it was done." })
  userErrors!: UserError[];
}
