/** Stops tracing; what was recorded is sent before it resolves. */
export type StopTracing = () => Promise<void>;

export interface TracingOptions {
  /** Where spans go by OTLP over HTTP; without it nothing is loaded, and recording costs next to nothing. */
  readonly endpoint: string | undefined;
  /** Of the process, e.g. `antidote-worker`. */
  readonly service: string;
  readonly version: string;
}

/** Begins to record and to send spans. The SDK's own variables (`OTEL_…`) say the rest. */
export async function startTracing({ endpoint, ...identity }: TracingOptions): Promise<StopTracing> {
  if (endpoint === undefined) return async () => {};
  const { exportSpans } = await import("./exporting.ts");
  return exportSpans(identity);
}
