import { AppError } from "../errors.ts";
import type { ListOptions, Store, Write } from "../store/store.ts";
import { currentTraceparent } from "../telemetry/spans.ts";
import { nextIdentifier } from "./identifier.ts";
import {
  isKnownEvent,
  type JobEvent,
  type JobKind,
  type JobRecord,
  type JobReport,
  type JobStatus,
  PLAN_VERSION,
} from "./job.ts";
import { assertTransition, isFinished } from "./states.ts";

/** A job that is not finished; `ticket` is its place in the queue. Kept under `jobs/active/<id>`. */
export interface ActiveJob {
  readonly id: string;
  readonly tenant: string;
  readonly ticket: string;
}

/** One step of a job, committed as a whole: the record, the events that tell it, and whatever belongs to it. */
export interface JobChange {
  readonly status?: JobStatus;
  readonly record?: Partial<
    Pick<
      JobRecord,
      "progress" | "etaSeconds" | "attempts" | "losses" | "kept" | "failure" | "result" | "eventsDropped"
    >
  >;
  readonly reports?: readonly JobReport[];
  readonly writes?: readonly Write[];
}

/** Decides the next step from the current record; undefined leaves it as it is. Called again when another step came between. */
export type JobPlan = (job: JobRecord) => JobChange | undefined | Promise<JobChange | undefined>;

const EVENTS_AT_ONCE = 200;
const JOBS_AT_ONCE = 500;
const MOST_TRIES = 16;
const ACTIVE = "jobs/active/";

/** What else is written in the commit that ends a job. Called again when something came between. */
export type AtJobEnd = (job: JobRecord) => Promise<readonly Write[]>;

/** Jobs as they lie in the store; every step of every job goes through `change`. */
export class JobRecords {
  /** How many follow the events of jobs through these records at this moment. */
  followers = 0;

  constructor(
    private readonly store: Store,
    private readonly now: () => Date,
    private readonly atEnd: AtJobEnd = async () => [],
    private readonly planVersion = PLAN_VERSION,
  ) {}

  /** Whether this version of the program can run the job; if not, it is left to a newer one. */
  understands({ planVersion = 1 }: JobRecord): boolean {
    return planVersion <= this.planVersion;
  }

  /** What an attempt of this version makes of the job's: the states that it saves are this version's too. */
  versionAfter({ planVersion = 1 }: JobRecord): number {
    return Math.max(planVersion, this.planVersion);
  }

  /** A new job in state QUEUED. Throws IDEMPOTENCY_CONFLICT when a write `alongside` it was not possible. */
  async create(
    tenant: string,
    kind: JobKind,
    spec: unknown,
    alongside: (job: JobRecord) => readonly Write[] = () => [],
  ): Promise<JobRecord> {
    const now = this.now();
    const id = nextIdentifier(now);
    const createdAt = now.toISOString();
    const { planVersion } = this;
    const plan = { id, tenant, kind, spec, planVersion, traceparent: currentTraceparent(), createdAt };
    const job: JobRecord = { ...plan, status: "QUEUED", progress: 0, attempts: 0 };
    const committed = await this.store.commit([
      { kind: "put", key: recordKey(tenant, id), value: job, expected: 0 },
      this.activate(job),
      this.append(job, { kind: "status", status: "QUEUED" }),
      ...alongside(job),
    ]);
    if (committed) return job;
    throw new AppError(
      "IDEMPOTENCY_CONFLICT",
      "What was to be written with the new job has changed meanwhile. Try again.",
    );
  }

  /** Throws NOT_FOUND for a job that the tenant does not have. */
  async get(tenant: string, id: string): Promise<JobRecord> {
    return (await this.entry(tenant, id)).value;
  }

  /** The tenant's jobs, newest first. */
  async list(tenant: string, options: JobListOptions = {}): Promise<JobRecord[]> {
    const range: ListOptions = {
      reverse: true,
      limit: options.limit,
      after: options.after === undefined ? undefined : recordKey(tenant, options.after),
    };
    const entries = await this.store.list<JobRecord>(recordKey(tenant, ""), range);
    return entries.map((entry) => entry.value);
  }

  /** All unfinished jobs of all tenants, in the order of their tickets. */
  async active(): Promise<ActiveJob[]> {
    const entries = await this.store.list<ActiveJob>(ACTIVE);
    return entries.map((entry) => entry.value).sort((a, b) => (a.ticket < b.ticket ? -1 : 1));
  }

  /** The tenant's unfinished jobs. One that ends just now may be among them as what it has come to. */
  async unfinished(tenant: string, but: ReadonlySet<string>): Promise<JobRecord[]> {
    const own = (await this.active()).filter((job) => job.tenant === tenant && !but.has(job.id));
    return Promise.all(own.map(({ id }) => this.get(tenant, id)));
  }

  /** The place in the queue of a job that is not finished. */
  async ticket(id: string): Promise<string | undefined> {
    return (await this.store.get<ActiveJob>(ACTIVE + id))?.value.ticket;
  }

  /** Calls back after each event of the job, until the returned function is called. */
  watch(tenant: string, id: string, onEvent: () => void): () => void {
    return this.store.watch(streamName(tenant, id), onEvent);
  }

  /** Takes one step, or none; the answer is the record after it. */
  async change(tenant: string, id: string, plan: JobPlan): Promise<JobRecord> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const { value: job, revision } = await this.entry(tenant, id);
      const change = await plan(job);
      if (!change) return job;
      const next = this.apply(job, change);
      const ended = isFinished(next.status) && !isFinished(job.status) ? await this.atEnd(next) : [];
      const writes = [...this.writes(job, next, change, revision), ...ended];
      if (await this.store.commit(writes)) return next;
    }
    throw new AppError(
      "INTERNAL",
      `Job ${id} could not be written: something else kept changing what it writes.`,
    );
  }

  /** Removes what the tenant's jobs have told that ended before a time; their records stay, and say so. */
  async dropEvents(tenant: string, endedBefore: Date): Promise<void> {
    const isOld = ({ status, finishedAt, eventsDropped }: JobRecord) =>
      isFinished(status) && !eventsDropped && Date.parse(finishedAt ?? "") < endedBefore.getTime();
    for (let after: string | undefined; ; ) {
      const jobs = await this.list(tenant, { limit: JOBS_AT_ONCE, after });
      for (const { id } of jobs.filter(isOld))
        await this.change(tenant, id, (job) => (isOld(job) ? withoutEvents(job) : undefined));
      if (jobs.length < JOBS_AT_ONCE) return;
      after = jobs.at(-1)?.id;
    }
  }

  /** What happened after `afterSeq`, oldest first. Completes when the job is finished and everything was told. */
  events(tenant: string, id: string, afterSeq: number, signal?: AbortSignal): JobEvents {
    const left = new AbortController();
    const steps = this.follow(
      tenant,
      id,
      afterSeq,
      AbortSignal.any(signal ? [signal, left.signal] : [left.signal]),
    );
    return {
      next: () => steps.next(),
      // A generator that waits would only hear of it at the next event.
      return: () => {
        left.abort();
        return steps.return(undefined);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  private async *follow(
    tenant: string,
    id: string,
    afterSeq: number,
    signal: AbortSignal,
  ): AsyncGenerator<NumberedEvent, undefined> {
    const alarm = new Alarm();
    const unwatch = this.store.watch(streamName(tenant, id), alarm.ring);
    signal.addEventListener("abort", alarm.ring);
    this.followers++;
    try {
      for (let last = afterSeq; !signal.aborted; ) {
        alarm.reset();
        // Looked at before reading: the commit that finishes a job also tells it.
        const finished = isFinished((await this.get(tenant, id)).status);
        const entries = await this.store.read<JobEvent>(streamName(tenant, id), last, EVENTS_AT_ONCE);
        for (const { seq, value } of entries) {
          if (signal.aborted) return;
          if (isKnownEvent(value)) yield { seq, event: value };
          last = seq;
        }
        if (entries.length > 0) continue;
        if (finished) return;
        if (!signal.aborted) await alarm.rung;
      }
    } finally {
      this.followers--;
      unwatch();
      signal.removeEventListener("abort", alarm.ring);
    }
  }

  private async entry(tenant: string, id: string) {
    const entry = await this.store.get<JobRecord>(recordKey(tenant, id));
    if (entry) return entry;
    throw new AppError("NOT_FOUND", `There is no job ${id}. List the jobs to see which there are.`, { id });
  }

  private apply(job: JobRecord, { status, record }: JobChange): JobRecord {
    if (!status || status === job.status) return { ...job, ...record };
    assertTransition(job.status, status);
    const now = this.now().toISOString();
    return {
      ...job,
      startedAt: status === "VALIDATING" ? (job.startedAt ?? now) : job.startedAt,
      finishedAt: isFinished(status) ? now : undefined,
      etaSeconds: undefined,
      ...record,
      status,
    };
  }

  private writes(job: JobRecord, next: JobRecord, change: JobChange, revision: number): Write[] {
    const moved = next.status !== job.status;
    const reports: JobReport[] = [...(change.reports ?? [])];
    if (moved) reports.push({ kind: "status", status: next.status });
    const writes: Write[] = [
      { kind: "put", key: recordKey(job.tenant, job.id), value: next, expected: revision },
      ...reports.map((report) => this.append(job, report)),
      ...(change.writes ?? []),
    ];
    if (moved && isFinished(next.status)) writes.push({ kind: "delete", key: ACTIVE + job.id });
    if (moved && isFinished(job.status)) writes.push(this.activate(job));
    return writes;
  }

  private activate({ id, tenant }: JobRecord): Write {
    const active: ActiveJob = { id, tenant, ticket: nextIdentifier(this.now()) };
    return { kind: "put", key: ACTIVE + id, value: active };
  }

  private append(job: JobRecord, report: JobReport): Write {
    const event = { at: this.now().toISOString(), ...report };
    return { kind: "append", stream: streamName(job.tenant, job.id), value: event };
  }
}

const withoutEvents = ({ tenant, id }: JobRecord): JobChange => ({
  record: { eventsDropped: true },
  writes: [{ kind: "drop", stream: streamName(tenant, id) }],
});

export interface NumberedEvent {
  readonly seq: number;
  readonly event: JobEvent;
}

export type JobEvents = AsyncIterableIterator<NumberedEvent, undefined>;

export interface JobListOptions {
  readonly limit?: number;
  /** Only jobs older than this one. */
  readonly after?: string;
}

function recordKey(tenant: string, id: string): string {
  return `tenants/${tenant}/jobs/${id}`;
}

function streamName(tenant: string, id: string): string {
  return `tenants/${tenant}/jobs/${id}/events`;
}

/** Remembers that it was rung until it is reset, so that a ring between looking and waiting is not lost. */
class Alarm {
  rung: Promise<void> = Promise.resolve();
  private wake = () => {};

  readonly ring = () => this.wake();

  reset(): void {
    this.rung = new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}
