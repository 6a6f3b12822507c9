import { type Span, SpanStatusCode, trace } from "@opentelemetry/api";
import { contextOf, fieldsOf, tracer } from "../telemetry/spans.ts";
import type { JobRecord, JobReport } from "./job.ts";
import type { JobObserver } from "./observer.ts";

interface Attempt {
  readonly span: Span;
  /** When the epoch began that is under way. */
  epochBegan: number;
}

/**
 * A span for each attempt at a job, below the request that asked for it: the queue carries that place in the job's
 * record. Below it one for each epoch, from one checkpoint that the job's process tells to the next.
 */
export class JobTraces implements JobObserver {
  private readonly attempts = new Map<string, Attempt>();

  began({ id, kind, attempts, traceparent }: JobRecord): void {
    const attributes = { "antidote.job.id": id, "antidote.job.kind": kind, "antidote.job.attempt": attempts };
    const span = tracer.startSpan(`job ${kind}`, { attributes }, contextOf(traceparent));
    this.attempts.set(id, { span, epochBegan: Date.now() });
  }

  reported({ id }: JobRecord, report: JobReport): void {
    const attempt = this.attempts.get(id);
    if (!attempt || report.kind !== "checkpoint") return;
    const attributes = { "antidote.job.id": id, "antidote.job.epoch": report.epoch };
    const options = { attributes, startTime: attempt.epochBegan };
    attempt.epochBegan = Date.now();
    tracer
      .startSpan("epoch", options, trace.setSpan(contextOf(undefined), attempt.span))
      .end(attempt.epochBegan);
  }

  ended({ id, status, failure }: JobRecord): void {
    const span = this.attempts.get(id)?.span;
    span?.setAttribute("antidote.job.status", status);
    if (failure) span?.setStatus({ code: SpanStatusCode.ERROR, message: failure.code });
  }

  left({ id }: JobRecord): void {
    this.attempts.get(id)?.span.end();
    this.attempts.delete(id);
  }

  /** For the lines of the log that concern a job. */
  fieldsOf(job: unknown): ReturnType<typeof fieldsOf> {
    return typeof job === "string" ? fieldsOf(this.attempts.get(job)?.span) : {};
  }
}
