import { Field, ObjectType } from "type-graphql";
import { JobEvent } from "./job-event.ts";

@ObjectType({ implements: JobEvent })
export class LogLine extends JobEvent {
  @Field(() => String, { description: "info or warning." })
  level!: string;

  @Field(() => String)
  text!: string;
}
