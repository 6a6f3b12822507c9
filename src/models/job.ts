import { Field, Float, InterfaceType } from "type-graphql";
import type { Device as DeviceName } from "../engine/runtime/device.ts";
import type { JobRecord } from "../jobs/job.ts";
import { DateTime } from "./date-time.ts";
import { Device } from "./device.ts";
import { JobFailure } from "./job-failure.ts";
import { JobStatus } from "./job-status.ts";
import { Node } from "./node.ts";

@InterfaceType({
  implements: Node,
  description: "Long work, done in a process of its own; it survives restarts.",
})
export abstract class Job extends Node {
  readonly record!: JobRecord;

  @Field(() => JobStatus)
  status!: JobStatus;

  @Field(() => Float, { nullable: true, description: "0 to 1." })
  progress?: number;

  @Field(() => Float, { nullable: true })
  etaSeconds?: number;

  @Field(() => Device, {
    nullable: true,
    description: "Where it computes; null where the worker that takes it decides.",
  })
  device?: DeviceName;

  @Field(() => DateTime)
  createdAt!: string;

  @Field(() => DateTime, { nullable: true })
  startedAt?: string;

  @Field(() => DateTime, { nullable: true })
  finishedAt?: string;

  @Field(() => JobFailure, { nullable: true })
  failure?: JobFailure;
}
