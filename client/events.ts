import { type Client, createClient } from "graphql-ws";
import type { Connection, RequestOptions } from "./connection.ts";
import { EVENTS } from "./documents.ts";
import { AntidoteError, connectionLost, type ReportedError, reported } from "./errors.ts";
import { pause, waitBefore } from "./retry.ts";
import type { JobEvent } from "./schema.ts";

const KEEP_ALIVE_MS = 10_000;
/** Close codes that say that the request itself is at fault: of the protocol, and "message too big". */
const AT_FAULT: ReadonlySet<number> = new Set([1009, 4400, 4406, 4409, 4429]);
const UNAUTHENTICATED: ReadonlySet<number> = new Set([4401, 4403]);

export interface EventsOptions extends RequestOptions {
  /** The number of the last event that was seen; 0 for all. */
  readonly afterSeq?: number;
}

/**
 * A job's events in their order, each once, until the job is finished. When the connection is lost it is made again,
 * and goes on after the last event that came.
 *
 * @param isFinished asked when the events have ended: a proxy that closes politely looks like an end.
 */
export async function* followEvents(
  connection: Connection,
  jobId: string,
  isFinished: () => Promise<boolean>,
  { afterSeq = 0, signal }: EventsOptions = {},
): AsyncGenerator<JobEvent, void, undefined> {
  let seen = afterSeq;
  for (let failures = 0; ; ) {
    try {
      for await (const event of eventsOnce(connection, jobId, seen, signal)) {
        failures = 0;
        seen = event.seq;
        yield event;
      }
      if (await isFinished()) return;
      throw connectionLost("The events ended before the job.");
    } catch (error) {
      if (!(error instanceof AntidoteError) || !error.retryable) throw error;
      const wait = waitBefore(++failures, error, connection.retry);
      if (wait === undefined) throw error;
      await pause(wait, signal);
    }
  }
}

/** Over one connection, which ends with it. */
async function* eventsOnce(
  connection: Connection,
  jobId: string,
  afterSeq: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<JobEvent, void, undefined> {
  signal?.throwIfAborted();
  const client = createSocket(connection, await webSocketOf(connection.options.webSocket));
  const leave = () => client.terminate();
  signal?.addEventListener("abort", leave);
  try {
    const answers = client.iterate<{ jobEvents: JobEvent }>({
      query: EVENTS,
      variables: { jobId, afterSeq },
    });
    for await (const { data, errors } of answers) {
      if (errors?.length) throw reported(errors[0]);
      if (data) yield data.jobEvents;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw whatHappened(error);
  } finally {
    signal?.removeEventListener("abort", leave);
    await client.dispose();
  }
}

/** A connection that has gone silent is given up: nothing else tells a cable that was cut from a job that thinks. */
function createSocket({ webSocketUrl, authorization, options }: Connection, webSocketImpl: unknown): Client {
  const { keepAliveMs = KEEP_ALIVE_MS } = options;
  let silence: ReturnType<typeof setTimeout> | undefined;
  const client = createClient({
    url: webSocketUrl,
    webSocketImpl,
    connectionParams: { authorization },
    retryAttempts: 0,
    keepAlive: keepAliveMs,
    connectionAckWaitTimeout: keepAliveMs,
    on: {
      ping: (received) => {
        if (!received) silence = setTimeout(() => client.terminate(), keepAliveMs / 2);
      },
      pong: () => clearTimeout(silence),
      closed: () => clearTimeout(silence),
    },
  });
  return client;
}

async function webSocketOf(given: unknown): Promise<unknown> {
  if (given !== undefined || "WebSocket" in globalThis) return given;
  const { WebSocket } = await import("ws");
  return WebSocket;
}

/** What graphql-ws fails with: the errors of a refusal, a close event, or whatever the socket met. */
function whatHappened(error: unknown): AntidoteError {
  if (error instanceof AntidoteError) return error;
  if (Array.isArray(error)) return reported(error[0] as ReportedError);
  const { code, reason } = error as { readonly code?: unknown; readonly reason?: unknown };
  if (typeof code !== "number") return connectionLost("There is no connection for events.", { cause: error });
  const message = `The connection for events was closed: ${reason || "no reason given"} (${code}).`;
  if (UNAUTHENTICATED.has(code)) return new AntidoteError({ code: "UNAUTHENTICATED", message });
  if (AT_FAULT.has(code)) return new AntidoteError({ code: "INVALID_ANSWER", message });
  return connectionLost(message);
}
