import { trace } from "@opentelemetry/api";
import pino, { type Logger } from "pino";
import type { LogLevel } from "./config.ts";
import type { JobTraces } from "./jobs/traces.ts";
import { fieldsOf } from "./telemetry/spans.ts";

/** A line to a fact; within a request, or about a job, it also says where in which trace. */
export function createLogger(level: LogLevel, traces: JobTraces): Logger {
  return pino({
    level,
    mixin: (facts) => ({
      ...traces.fieldsOf((facts as { job?: unknown }).job),
      ...fieldsOf(trace.getActiveSpan()),
    }),
  });
}
