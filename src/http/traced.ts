import { context, propagation, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import type { RequestHandler } from "express";
import { failSpan, tracer } from "../telemetry/spans.ts";

/**
 * A span for a request, below that of whoever sent it (W3C's `traceparent`). It stands behind what reads the body,
 * whose callbacks belong to the connection and not to the request.
 */
export const traced: RequestHandler = (request, response, next) => {
  const parent = propagation.extract(ROOT_CONTEXT, request.headers);
  const attributes = {
    "http.request.method": request.method,
    "url.path": request.baseUrl || request.path,
    "antidote.request.id": String(response.locals.requestId),
  };
  const span = tracer.startSpan(
    `${request.method} ${attributes["url.path"]}`,
    { kind: SpanKind.SERVER, attributes },
    parent,
  );
  response.once("close", () => {
    span.setAttribute("http.response.status_code", response.statusCode);
    if (response.statusCode >= 500) failSpan(span, `status ${response.statusCode}`);
    span.end();
  });
  context.with(trace.setSpan(parent, span), next);
};
