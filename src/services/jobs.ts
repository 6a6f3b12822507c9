import { AppError } from "../errors.ts";
import { isKnownEvent, type JobEvent, type JobKind, type JobRecord, type JobStatus } from "../jobs/job.ts";
import type { PlannedKind } from "../jobs/planning.ts";
import type { JobQueue } from "../jobs/queue.ts";
import type { Store } from "../store/store.ts";
import { digestOf } from "./canonical.ts";
import type { DefencePlanner, DefendChoice } from "./defence-planner.ts";
import type { Estimate, Estimates } from "./estimates.ts";
import { assertSameInput, type IdempotencyRecord, idempotencyRecordKey } from "./idempotency.ts";
import type { ImplantChoice, ImplantPlanner } from "./implant-planner.ts";
import type {
  AddClassChoice,
  EvaluateChoice,
  JobPlanner,
  PurifyChoice,
  SearchChoice,
} from "./job-planner.ts";
import type { AuditJobSpec, DefendJobSpec, EvaluateJobSpec, PurifyJobSpec } from "./job-specs.ts";
import { shotsOf } from "./learned-from.ts";
import { isName } from "./names.ts";
import { notFound } from "./not-found.ts";
import type { Prompts } from "./prompts.ts";
import type { UsageMeter } from "./quotas/usage-meter.ts";
import { Recent } from "./recent.ts";

export interface Started {
  /** Absent in a dry run. */
  readonly job?: JobRecord;
  /** Of a dry run. */
  readonly estimate?: Estimate;
  readonly replayed: boolean;
}

interface TenantJobsOptions {
  readonly tenant: string;
  readonly store: Store;
  readonly queue: JobQueue;
  readonly prompts: Prompts;
  readonly planner: JobPlanner;
  readonly estimates: Estimates;
  readonly implants: ImplantPlanner;
  readonly defences: DefencePlanner;
  readonly meter: Pick<UsageMeter, "requireLeft">;
}

const MOST_TRIES = 4;
const POLL_MILLISECONDS = 400;

/** A tenant's long work. */
export class TenantJobs {
  /** A record holds all that the job was started with, so one look has to do for everybody who watches. */
  private readonly watched = new Recent(() => this.newestAndUnfinished(), POLL_MILLISECONDS);

  constructor(private readonly options: TenantJobsOptions) {}

  /** A dry run checks everything, starts nothing and tells what the job would take. */
  async audit(choice: SearchChoice, idempotencyKey: string, dryRun: boolean): Promise<Started> {
    if (dryRun) return this.estimate("audit", await this.options.planner.audit(choice));
    return this.once("audit", idempotencyKey, choice, () => this.options.planner.audit(choice));
  }

  /** The same for a dry run. */
  async purify(choice: PurifyChoice, idempotencyKey: string, by: string, dryRun: boolean): Promise<Started> {
    if (dryRun) return this.estimate("purify", await this.options.planner.purify(choice, by));
    return this.once("purify", idempotencyKey, choice, async () => {
      const spec = await this.options.planner.purify(choice, by);
      await this.options.prompts.ensureSet(choice.promptSet);
      return spec;
    });
  }

  async addClass(choice: AddClassChoice, idempotencyKey: string, by: string): Promise<Started> {
    return this.once("extend", idempotencyKey, choice, async () => {
      const spec = await this.options.planner.addClass(choice, by);
      await this.options.prompts.ensureSet(spec.request.promptSet);
      return spec;
    });
  }

  async evaluate(choice: EvaluateChoice, idempotencyKey: string): Promise<Started> {
    return this.once("evaluate", idempotencyKey, choice, async () => {
      const spec = await this.options.planner.evaluate(choice);
      return { ...spec, request: { ...spec.request, seen: await this.seen(spec) } };
    });
  }

  /** How many of the images a version was learned from; undefined where nothing tells. */
  private async seen({ images, request }: EvaluateJobSpec): Promise<number | undefined> {
    if (request.versionId === undefined) return undefined;
    const findJob = (id: string) => this.find(id);
    const shots = await shotsOf(request.versionId, { prompts: this.options.prompts, findJob });
    return shots && images.filter(({ blob }) => shots.has(blob)).length;
  }

  /** The same for a dry run. */
  async defend(choice: DefendChoice, idempotencyKey: string, dryRun: boolean): Promise<Started> {
    if (dryRun) return this.estimate("defend", await this.options.defences.plan(choice));
    return this.once("defend", idempotencyKey, choice, async () => {
      const spec = await this.options.defences.plan(choice);
      if (choice.promptSet !== undefined) await this.options.prompts.ensureSet(choice.promptSet);
      return spec;
    });
  }

  async implant(choice: ImplantChoice, idempotencyKey: string): Promise<Started> {
    return this.once("implant", idempotencyKey, choice, () => this.options.implants.plan(choice));
  }

  async find(id: string): Promise<JobRecord | undefined> {
    try {
      return isName(id) ? await this.options.queue.get(this.options.tenant, id) : undefined;
    } catch (error) {
      if (error instanceof AppError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  /** Fails with NOT_FOUND. */
  async require(id: string): Promise<void> {
    if (!(await this.find(id))) throw notFound("job", id);
  }

  /** Newest first, those that are older than `before`. */
  async list(limit: number, statuses?: readonly JobStatus[], before?: string): Promise<JobRecord[]> {
    const found: JobRecord[] = [];
    for (let after = before; found.length < limit; ) {
      const page = await this.options.queue.list(this.options.tenant, { limit, after });
      found.push(...page.filter(({ status }) => !statuses || statuses.includes(status)));
      if (page.length < limit) break;
      after = page.at(-1)?.id;
    }
    return found.slice(0, limit);
  }

  async position(id: string): Promise<number | undefined> {
    return this.options.queue.position(id);
  }

  async cancel(id: string): Promise<JobRecord> {
    await this.require(id);
    return this.options.queue.cancel(this.options.tenant, id);
  }

  async resume(id: string): Promise<JobRecord> {
    await this.require(id);
    await this.requireTime();
    return this.options.queue.resume(this.options.tenant, id);
  }

  /** The events after `afterSeq`, then each as it happens; completes when the job is finished. */
  events(
    id: string,
    afterSeq: number,
    signal?: AbortSignal,
  ): AsyncIterable<{ seq: number; event: JobEvent }> {
    return this.options.queue.events(this.options.tenant, id, afterSeq, signal);
  }

  /** At most `first` stored events; never waits for more. */
  async storedEvents(
    id: string,
    afterSeq: number,
    first: number,
  ): Promise<{ seq: number; event: JobEvent }[]> {
    const stream = `tenants/${this.options.tenant}/jobs/${id}/events`;
    const entries = await this.options.store.read<JobEvent>(stream, afterSeq, first);
    return entries
      .map(({ seq, value }) => ({ seq, event: value }))
      .filter(({ event }) => isKnownEvent(event));
  }

  /** Each job when its status or progress changes, beginning with those that are not finished. */
  async *changes(signal: AbortSignal): AsyncGenerator<JobRecord> {
    const seen = new Map<string, string>();
    const unfinished = new Set<string>();
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      const watched = await this.watched.get();
      const there = new Set(watched.map(({ id }) => id));
      const gone = [...unfinished].filter((id) => !there.has(id));
      const ended = await Promise.all(gone.map((id) => this.find(id)));
      for (const job of [...watched, ...ended.filter((one) => one !== undefined)]) {
        const isNews = seen.get(job.id) !== stateOf(job);
        seen.set(job.id, stateOf(job));
        if (job.finishedAt === undefined) unfinished.add(job.id);
        else unfinished.delete(job.id);
        if (isNews && !(isFirst && job.finishedAt !== undefined)) yield job;
      }
      await pause(POLL_MILLISECONDS, signal);
    }
  }

  /** One that is not finished may be older than many that are. */
  private async newestAndUnfinished(): Promise<JobRecord[]> {
    const { queue, tenant } = this.options;
    const newest = await this.list(MOST_WATCHED);
    const known = new Set(newest.map(({ id }) => id));
    return [...newest, ...(await queue.unfinished(tenant, known))];
  }

  /** Fails with QUOTA_EXCEEDED when the tenant's jobs may have no more time. */
  private requireTime(): Promise<void> {
    return this.options.meter.requireLeft(this.options.tenant, "computeSeconds");
  }

  private async estimate(
    kind: PlannedKind,
    spec: AuditJobSpec | PurifyJobSpec | DefendJobSpec,
  ): Promise<Started> {
    const estimate = await this.options.estimates.of(kind, spec, spec.request.model.weights);
    return { estimate, replayed: false };
  }

  /** Starts the job unless the key has started one: then that one, if it was for the same input. */
  private async once(
    kind: JobKind,
    idempotencyKey: string,
    input: unknown,
    makeSpec: () => Promise<unknown>,
  ): Promise<Started> {
    const { store, queue, tenant } = this.options;
    const key = idempotencyRecordKey(tenant, kind, idempotencyKey);
    const digest = digestOf(input);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const known = await store.get<IdempotencyRecord>(key);
      if (known) return { job: await this.replay(known.value, digest, idempotencyKey), replayed: true };
      await this.requireTime();
      const spec = await makeSpec();
      const job = await queue
        .enqueue(tenant, kind, spec, ({ id }) => [
          { kind: "put", key, value: { input: digest, jobId: id } satisfies IdempotencyRecord, expected: 0 },
        ])
        .catch(unlessTaken);
      if (job) return { job, replayed: false };
    }
    throw new AppError("OVERLOADED", "Another request with this key is being taken. Try again.", {
      retryAfterMs: 500,
    });
  }

  private async replay(known: IdempotencyRecord, digest: string, key: string): Promise<JobRecord> {
    assertSameInput(known, digest, key, "job");
    return this.options.queue.get(this.options.tenant, known.jobId);
  }
}

const MOST_WATCHED = 100;

const stateOf = ({ status, progress, attempts }: JobRecord): string => `${status} ${progress} ${attempts}`;

/** Somebody with the same key came first: look again at what they started. */
function unlessTaken(error: unknown): undefined {
  if (error instanceof AppError && error.code === "IDEMPOTENCY_CONFLICT") return undefined;
  throw error;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
