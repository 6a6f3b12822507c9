import { context, type Span, SpanKind, trace } from "@opentelemetry/api";
import { contextOf, failSpan, tracer } from "../telemetry/spans.ts";

/** The span of one operation on a connection that many share, below the `traceparent` that its sender gave with it. */
export class OperationSpan {
  private readonly span: Span;
  private readonly place: ReturnType<typeof trace.setSpan>;

  /** @param name what kind of connection it came over, and to which path. */
  constructor(name: string, extensions: Readonly<Record<string, unknown>> | null | undefined) {
    const given = extensions?.traceparent;
    const parent = contextOf(typeof given === "string" ? given : undefined);
    this.span = tracer.startSpan(name, { kind: SpanKind.SERVER }, parent);
    this.place = trace.setSpan(parent, this.span);
  }

  named(requestId: string): void {
    this.span.setAttribute("antidote.request.id", requestId);
  }

  /** Whatever is begun within belongs below the span. */
  within<Value>(work: () => Value): Value {
    return context.with(this.place, work);
  }

  fail(reason: unknown): void {
    failSpan(this.span, reason);
  }

  end(): void {
    this.span.end();
  }
}
