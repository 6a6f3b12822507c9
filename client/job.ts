import type { Audit, Defended, Evaluation, JobState, Model, Purification } from "./answers.ts";
import type { Connection, RequestOptions } from "./connection.ts";
import { CANCEL_JOB, JOB, RESUME_JOB } from "./documents.ts";
import { AntidoteError, notFound } from "./errors.ts";
import { type EventsOptions, followEvents } from "./events.ts";
import { done, type Payload } from "./payload.ts";
import type { JobEvent } from "./schema.ts";

/** What a job has made, once it has succeeded. */
export type ResultOf<Result> = (state: JobState) => Result;

/** Long work on the server. It goes on whether or not anybody looks. */
export class Job<Result> {
  constructor(
    private readonly connection: Connection,
    readonly id: string,
    private readonly resultOf: ResultOf<Result>,
    /** Whether an earlier request with the same idempotency key has started it. */
    readonly replayed = false,
  ) {}

  /** Every event once, in order, until the job is finished; a lost connection is made again. */
  events(options?: EventsOptions): AsyncGenerator<JobEvent, void, undefined> {
    const isFinished = async () => (await this.state(options)).finishedAt !== null;
    return followEvents(this.connection, this.id, isFinished, options);
  }

  /** Waits for the end. Fails with the job's failure, or with CANCELLED. */
  async result(options?: RequestOptions): Promise<Result> {
    for await (const _ of this.events(options));
    const state = await this.state(options);
    if (state.status === "SUCCEEDED") return this.resultOf(state);
    throw new AntidoteError(
      state.failure ?? { code: "CANCELLED", message: `The job ${this.id} was cancelled.`, retryable: true },
    );
  }

  async state(options?: RequestOptions): Promise<JobState> {
    const variables = { id: this.id };
    const { job } = await this.connection.request<{ job: JobState | null }>(
      { query: JOB, variables },
      options,
    );
    if (!job) throw notFound("job", this.id);
    return job;
  }

  async cancel(options?: RequestOptions): Promise<void> {
    await this.change(CANCEL_JOB, options);
  }

  /** Queues a failed or cancelled job again; it goes on from its last checkpoint. */
  async resume(options?: RequestOptions): Promise<void> {
    await this.change(RESUME_JOB, options);
  }

  private async change(query: string, options: RequestOptions | undefined): Promise<void> {
    const variables = { id: this.id };
    done((await this.connection.request<{ changed: Payload }>({ query, variables }, options)).changed);
  }
}

export const purification: ResultOf<Purification> = ({ version, audit = null, gate = null }) => ({
  version: present(version),
  audit,
  gate,
});

export const audit: ResultOf<Audit> = (state) => present(state.audit);

export const evaluation: ResultOf<Evaluation> = (state) => present(state.evaluation);

export const defended: ResultOf<Defended> = (state) => present(state.defended);

/** The poisoned model. */
export const implanted: ResultOf<Model> = (state) => present(state.implanted);

const RESULTS: Readonly<Record<JobState["__typename"], ResultOf<AnyResult>>> = {
  PurificationJob: purification,
  AuditJob: audit,
  EvaluationJob: evaluation,
  DefenceJob: defended,
  ImplantJob: implanted,
};

/** What a job of any kind has made. */
export type AnyResult = Purification | Audit | Evaluation | Defended | Model;

/** Of a job whose kind is known only once it is looked at. */
export const anyResult: ResultOf<AnyResult> = (state) => RESULTS[state.__typename](state);

function present<Value>(value: Value | null | undefined): Value {
  if (value != null) return value;
  throw new AntidoteError({
    code: "NOT_FOUND",
    message: "The job has succeeded, but its result is not there.",
  });
}
