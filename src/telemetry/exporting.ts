import { randomUUID } from "node:crypto";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import type { StopTracing, TracingOptions } from "./tracing.ts";

/** Loaded only where spans are sent. A receiver that is away costs spans, and nothing else. */
export function exportSpans({ service, version }: Omit<TracingOptions, "endpoint">): StopTracing {
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({
      "service.name": process.env.OTEL_SERVICE_NAME || service,
      "service.version": version,
      "service.instance.id": randomUUID(),
    }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  provider.register();
  return () => provider.shutdown().catch(() => {});
}
