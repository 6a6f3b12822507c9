import { Field, ObjectType } from "type-graphql";
import { JobEvent } from "./job-event.ts";
import { JobStatus } from "./job-status.ts";

@ObjectType({ implements: JobEvent })
export class StatusChanged extends JobEvent {
  @Field(() => JobStatus)
  status!: JobStatus;
}
