import { Field, ObjectType } from "type-graphql";
import { Schedule } from "./schedule.ts";
import { UserError } from "./user-error.ts";

@ObjectType()
export class SchedulePayload {
  @Field(() => Schedule, { nullable: true })
  schedule?: Schedule;

  @Field(() => [UserError], { description: "Empty when it was done." })
  userErrors!: UserError[];
}
