import {
  Arg,
  Authorized,
  Ctx,
  FieldResolver,
  ID,
  Int,
  Mutation,
  Query,
  Resolver,
  Root,
  Subscription,
} from "type-graphql";
import type { Context } from "../context.ts";
import type { DeviceChoice } from "../engine/runtime/device.ts";
import type { JobStatus as JobStatusName } from "../jobs/job.ts";
import { AddClassInput } from "../models/add-class-input.ts";
import { AttackInput } from "../models/attack-input.ts";
import { AuditInput } from "../models/audit-input.ts";
import { Device } from "../models/device.ts";
import { Job } from "../models/job.ts";
import { JobEvent } from "../models/job-event.ts";
import { JobPayload } from "../models/job-payload.ts";
import { JobStatus } from "../models/job-status.ts";
import { PurifyInput } from "../models/purify-input.ts";
import { PurifyMode } from "../models/purify-mode.ts";
import { Through } from "../models/through.ts";
import { localId } from "../services/global-id.ts";
import { NeedsScope } from "./authorise.ts";
import { requireId } from "./identifiers.ts";
import { addClassChoice, attackChoice, gateTerms, searchChoice, throughChoice } from "./inputs.ts";
import { AFTER, afterOf, pageSize } from "./page-size.ts";
import { DRY_RUN, KEY, started } from "./started.ts";
import { untilUnsubscribed } from "./until-unsubscribed.ts";
import { viewEvent, viewJob } from "./views.ts";

@Resolver(() => Job)
export class JobResolver {
  @Authorized()
  @Query(() => Job, { nullable: true, description: "Null when there is none of that id." })
  async job(@Arg("id", () => ID) id: string, @Ctx() { tenant }: Context): Promise<Job | undefined> {
    const local = localId("job", id);
    const record = local === undefined ? undefined : await tenant.jobs.find(local);
    return record && viewJob(record);
  }

  @Authorized()
  @Query(() => [Job], { name: "jobs", description: "Newest first." })
  async listJobs(
    @Arg("first", () => Int, { nullable: true, defaultValue: 20 }) first: number,
    @Arg("statuses", () => [JobStatus], { nullable: true }) statuses: JobStatusName[] | undefined,
    @Arg("after", () => String, AFTER) after: string | undefined,
    @Ctx() { tenant }: Context,
  ): Promise<Job[]> {
    const before = afterOf("job", after);
    return (await tenant.jobs.list(pageSize(first), statuses ?? undefined, before)).map(viewJob);
  }

  @NeedsScope("prompts:write")
  @Mutation(() => JobPayload, {
    description: "Looks for a backdoor, without knowing its target. Follow it with jobEvents. Costs 50.",
    complexity: 50,
  })
  audit(
    @Arg("input", () => AuditInput) input: AuditInput,
    @Arg("idempotencyKey", () => String, KEY) idempotencyKey: string,
    @Arg("dryRun", () => Boolean, DRY_RUN) dryRun: boolean,
    @Ctx() { tenant }: Context,
  ): Promise<JobPayload> {
    return started(() => tenant.jobs.audit(searchChoice(input), idempotencyKey, dryRun));
  }

  @NeedsScope("prompts:write")
  @Mutation(() => JobPayload, {
    description:
      "Makes a prompt version through which the model answers without its backdoor: looks for triggers, then tunes prompts that they do not reach. Follow it with jobEvents; an alias moves to the version if it passes the gate. Costs 50.",
    complexity: 50,
  })
  purify(
    @Arg("input", () => PurifyInput) input: PurifyInput,
    @Arg("idempotencyKey", () => String, KEY) idempotencyKey: string,
    @Arg("dryRun", () => Boolean, DRY_RUN) dryRun: boolean,
    @Ctx() { tenant, caller }: Context,
  ): Promise<JobPayload> {
    return started(() => {
      const choice = {
        ...searchChoice(input),
        promptSet: input.promptSet,
        mode: input.mode ?? PurifyMode.UNIVERSAL,
        gate: gateTerms(input.gate ?? {}),
      };
      return tenant.jobs.purify(choice, idempotencyKey, caller?.keyName ?? "", dryRun);
    });
  }

  @NeedsScope("prompts:write")
  @Mutation(() => JobPayload, {
    description:
      "Adds a class to a prompt version: its context vectors alone are tuned, the other classes' prompts stay as they are, bit for bit, and triggers are searched and the gate is checked on all of them. The job makes a new version. Costs 50.",
    complexity: 50,
  })
  addClass(
    @Arg("input", () => AddClassInput) input: AddClassInput,
    @Arg("idempotencyKey", () => String, KEY) idempotencyKey: string,
    @Ctx() { tenant, caller }: Context,
  ): Promise<JobPayload> {
    return started(() => tenant.jobs.addClass(addClassChoice(input), idempotencyKey, caller?.keyName ?? ""));
  }

  @NeedsScope("prompts:write")
  @Mutation(() => JobPayload, {
    description: "Measures a model on a test set, clean and, if an attack is given, triggered. Costs 50.",
    complexity: 50,
  })
  evaluate(
    @Arg("modelId", () => ID) modelId: string,
    @Arg("through", () => Through) through: Through,
    @Arg("attack", () => AttackInput, { nullable: true }) attack: AttackInput | undefined,
    @Arg("datasetId", () => ID) datasetId: string,
    @Arg("labels", () => [String], {
      nullable: true,
      description: "For templates; by default the dataset's.",
    })
    labels: string[] | undefined,
    @Arg("device", () => Device, {
      nullable: true,
      description: "By default the device of the server, or of the worker that takes the job.",
    })
    device: DeviceChoice | undefined,
    @Arg("idempotencyKey", () => String, KEY) idempotencyKey: string,
    @Ctx() { tenant }: Context,
  ): Promise<JobPayload> {
    return started(() =>
      tenant.jobs.evaluate(
        {
          model: requireId("model", modelId, "modelId"),
          dataset: requireId("dataset", datasetId, "datasetId"),
          labels: labels ?? undefined,
          through: throughChoice(through, "through"),
          attack: attack && attackChoice(attack, "attack"),
          device: device ?? undefined,
        },
        idempotencyKey,
      ),
    );
  }

  @NeedsScope("prompts:write")
  @Mutation(() => JobPayload, {
    description: "A waiting job is cancelled at once, a running one between two steps; a finished one stays.",
  })
  cancelJob(@Arg("id", () => ID) id: string, @Ctx() { tenant }: Context): Promise<JobPayload> {
    return started(async () => ({
      job: await tenant.jobs.cancel(requireId("job", id, "id")),
      replayed: false,
    }));
  }

  @NeedsScope("prompts:write")
  @Mutation(() => JobPayload, {
    description:
      "Queues a failed or cancelled job again, unless it ended too long ago (30 days, where the operator has not chosen otherwise). It goes on from its last checkpoint. Costs 50.",
    complexity: 50,
  })
  resumeJob(@Arg("id", () => ID) id: string, @Ctx() { tenant }: Context): Promise<JobPayload> {
    return started(async () => ({
      job: await tenant.jobs.resume(requireId("job", id, "id")),
      replayed: false,
    }));
  }

  @Authorized()
  @Subscription(() => JobEvent, {
    description:
      "The events after `afterSeq`, then each as it happens; completes when the job is finished. A job that ended more than JOB_RESUME_DAYS (30) ago has none.",
    subscribe: ({ args, context }) => followEvents(args.jobId, args.afterSeq ?? 0, context as Context),
  })
  jobEvents(
    @Arg("jobId", () => ID) _jobId: string,
    @Arg("afterSeq", () => Int, { nullable: true, defaultValue: 0 }) _afterSeq: number,
    @Root() event: JobEvent,
  ): JobEvent {
    return event;
  }

  @Authorized()
  @Subscription(() => Job, {
    name: "jobs",
    description: "The unfinished jobs, then every job whenever its status or progress changes.",
    subscribe: ({ args, context }) => followJobs(args.statuses ?? undefined, context as Context),
  })
  followedJobs(
    @Arg("statuses", () => [JobStatus], { nullable: true }) _statuses: JobStatusName[] | undefined,
    @Root() job: Job,
  ): Job {
    return job;
  }

  @FieldResolver(() => Int, { nullable: true, description: "1 for the job that is run next." })
  queuePosition(@Root() { record }: Job, @Ctx() { tenant }: Context): Promise<number | undefined> {
    return tenant.jobs.position(record.id);
  }

  @FieldResolver(() => [JobEvent], {
    description:
      "Stored events, oldest first; jobEvents follows them live. They are removed JOB_RESUME_DAYS (30) after the job's end.",
  })
  async events(
    @Root() { record }: Job,
    @Arg("afterSeq", () => Int, { nullable: true, defaultValue: 0 }) afterSeq: number,
    @Arg("first", () => Int, { nullable: true, defaultValue: 100 }) first: number,
    @Ctx() { tenant }: Context,
  ): Promise<JobEvent[]> {
    const events = await tenant.jobs.storedEvents(record.id, afterSeq, pageSize(first));
    return events.map(({ seq, event }) => viewEvent(record.id, seq, event));
  }
}

/** An unknown job is an error of the operation, before anything is streamed. */
async function followEvents(
  jobId: string,
  afterSeq: number,
  { tenant, lastEventId }: Context,
): Promise<AsyncIterable<JobEvent>> {
  const id = requireId("job", jobId, "jobId");
  await tenant.jobs.require(id);
  const seen = Math.max(afterSeq, lastEventId ?? 0);
  return untilUnsubscribed(async function* (signal) {
    for await (const { seq, event } of tenant.jobs.events(id, seen, signal)) yield viewEvent(id, seq, event);
  });
}

function followJobs(statuses: readonly JobStatusName[] | undefined, { tenant }: Context): AsyncIterable<Job> {
  return untilUnsubscribed(async function* (signal) {
    for await (const record of tenant.jobs.changes(signal))
      if (!statuses || statuses.includes(record.status)) yield viewJob(record);
  });
}
