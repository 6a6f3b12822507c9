import { Field, ObjectType } from "type-graphql";
import { Checkpoint } from "./checkpoint.ts";
import { JobEvent } from "./job-event.ts";

@ObjectType({ implements: JobEvent })
export class CheckpointSaved extends JobEvent {
  @Field(() => Checkpoint)
  checkpoint!: Checkpoint;
}
