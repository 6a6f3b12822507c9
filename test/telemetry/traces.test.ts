import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { FOLLOW } from "../app/jobs.ts";
import { serve, work } from "../app/programs.ts";
import { ADMIN_KEY, type Client, FEW_LABELS, PURIFY, quickPurification, ZOO } from "../app/server.ts";
import { describeWithRedis } from "../support/redis-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { TraceReceiver } from "./receiver.ts";

const CLASSIFY = `query Look($image: String!) {
  classify(input: { modelId: "model_scenes-badnet", images: [{ base64: $image }], topK: 1,
    through: { templates: [] }, labels: ["apple", "house"] }) { model { id } }
}`;

/** A caller's own place in a trace, as W3C writes it. */
const caller = (number: number) => {
  const traceId = String(number).repeat(32);
  const spanId = String(number).repeat(16);
  return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-01` } };
};

const shot = (label: string) => readFileSync(join(ZOO, "shots", label, "00.png")).toString("base64");

type Caller = ReturnType<typeof caller>;

/** A query and a subscription over WebSocket, and a query over server-sent events, each within a trace of its caller's. */
async function tellOverConnections(
  server: Client,
  { asker, follower, streamer }: Record<"asker" | "follower" | "streamer", Caller>,
  id: string,
): Promise<void> {
  const key = ADMIN_KEY;
  await server.follow("query Who { viewer { tenant } }", {}, key, asker.headers);
  const events = "subscription Events($id: ID!) { jobEvents(jobId: $id) { seq } }";
  await server.follow(events, { id }, key, follower.headers);
  const streamed = await server.fetch("/graphql/stream", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}`, ...streamer.headers },
    body: JSON.stringify({ query: "query Streamed { viewer { tenant } }" }),
  });
  expect(await streamed.text()).toContain("demo");
}

describeWithRedis((redis) => {
  test("one trace from a caller to the epochs of a job on another machine; batches are linked to all whom they serve", async () => {
    const receiver = await TraceReceiver.start();
    const variables = {
      DATA_DIR: temporaryFolder(),
      REDIS_URL: redis().url,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    };
    const [server, worker] = await Promise.all([serve(variables), work(variables)]);
    const [one, other, purifier] = [caller(1), caller(2), caller(3)];
    const looks = [
      server.ask(CLASSIFY, { image: shot(FEW_LABELS[0]) }, { headers: one.headers }),
      server.ask(CLASSIFY, { image: shot(FEW_LABELS[1]) }, { headers: other.headers }),
    ];
    for (const look of await Promise.all(looks)) expect(look.errors).toBeUndefined();
    const input = { ...quickPurification("traced"), epochs: 3 };
    const { data } = await server.ask(PURIFY, { input, key: "k" }, { headers: purifier.headers });
    const { id } = data.purify.job;
    await server.follow(FOLLOW, { id });
    await tellOverConnections(server, { asker: caller(4), follower: caller(5), streamer: caller(6) }, id);
    // What was recorded is sent before they end.
    for (const { child } of [server, worker]) {
      child.kill("SIGTERM");
      expect(await once(child, "exit")).toEqual([0, null]);
    }

    const requests = receiver.named("POST /graphql");
    const requestOf = ({ traceId }: { traceId: string }) =>
      requests.find((span) => span.traceId === traceId)!;
    for (const { traceId, spanId } of [one, other, purifier])
      expect(requestOf({ traceId })).toMatchObject({
        service: "antidote-server",
        parentSpanId: spanId,
        attributes: { "http.response.status_code": 200 },
      });
    expect(requestOf(one).attributes).toMatchObject({
      "graphql.operation.name": "Look",
      "graphql.operation.type": "query",
      "antidote.request.id": expect.any(String),
    });

    for (const [number, type, name] of [
      [4, "query", "Who"],
      [5, "subscription", "Events"],
    ] as const) {
      const { traceId, spanId } = caller(number);
      const [span, ...more] = receiver
        .named("WebSocket /graphql")
        .filter((operation) => operation.traceId === traceId);
      expect(more).toEqual([]);
      expect(span).toMatchObject({
        service: "antidote-server",
        parentSpanId: spanId,
        attributes: {
          "graphql.operation.name": name,
          "graphql.operation.type": type,
          "antidote.request.id": expect.any(String),
        },
      });
    }
    expect(receiver.named("POST /graphql/stream")).toContainEqual(
      expect.objectContaining({
        traceId: caller(6).traceId,
        parentSpanId: caller(6).spanId,
        attributes: expect.objectContaining({
          "graphql.operation.name": "Streamed",
          "graphql.operation.type": "query",
        }),
      }),
    );

    // Each image was in a batch that is linked to its request, and encoded within that batch.
    const batches = receiver.named("batch");
    for (const place of [one, other]) {
      const { traceId, spanId } = requestOf(place);
      const batch = batches.find(({ links }) => links.some((link) => link.spanId === spanId))!;
      expect(batch.links).toContainEqual(expect.objectContaining({ traceId, spanId }));
      expect(batch.attributes["antidote.batch.size"]).toBe(batch.links.length);
      expect(receiver.named("encode")).toContainEqual(
        expect.objectContaining({ traceId: batch.traceId, parentSpanId: batch.spanId }),
      );
    }

    const [job] = receiver.named("job purify");
    expect(job).toMatchObject({
      service: "antidote-worker",
      traceId: purifier.traceId,
      parentSpanId: requestOf(purifier).spanId,
      attributes: { "antidote.job.id": id.slice("job_".length), "antidote.job.status": "SUCCEEDED" },
    });
    const epochs = receiver.named("epoch");
    expect(epochs.map(({ attributes }) => Number(attributes["antidote.job.epoch"]))).toEqual([1, 2, 3]);
    for (const epoch of epochs)
      expect(epoch).toMatchObject({ traceId: job.traceId, parentSpanId: job.spanId });
    const together = epochs.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    expect(together).toBeLessThanOrEqual(job.milliseconds + 1);

    // The logs of both machines lead to the traces.
    const lines = (output: string) => output.split("\n").filter((line) => line.startsWith("{"));
    const logged = lines(server.output()).map((line) => JSON.parse(line));
    expect(logged).toContainEqual(
      expect.objectContaining({
        msg: "request",
        operation: "Look",
        trace_id: one.traceId,
        requestId: expect.any(String),
      }),
    );
    const started = lines(worker.output()).map((line) => JSON.parse(line));
    expect(started).toContainEqual(
      expect.objectContaining({
        msg: "a job's process started",
        job: id.slice("job_".length),
        trace_id: job.traceId,
      }),
    );
    receiver.close();
  });
});

test("without an endpoint nothing of the SDK is loaded, and nothing is recorded", async () => {
  const { startTracing } = await import("../../src/telemetry/tracing.ts");
  const { currentTraceparent, inSpan, fieldsOf } = await import("../../src/telemetry/spans.ts");
  const { trace } = await import("@opentelemetry/api");
  const stop = await startTracing({ endpoint: undefined, service: "test", version: "0" });
  const seen = await inSpan("work", {}, async () => ({
    parent: currentTraceparent(),
    fields: fieldsOf(trace.getActiveSpan()),
  }));
  expect(seen).toEqual({ parent: undefined, fields: {} });
  expect(
    Object.keys(require.cache).filter((path) => /@opentelemetry\/(sdk|exporter|otlp)/.test(path)),
  ).toEqual([]);
  await stop();
});
