import { once } from "node:events";
import type { Request, RequestHandler, Response } from "express";
import { createSourceEventStream, type ExecutionResult, execute } from "graphql";
import type { Logger } from "pino";
import type { Context } from "../context.ts";
import { AppError } from "../errors.ts";
import { costExtension } from "./limits.ts";
import { parametersOf } from "./operation-parameters.ts";
import {
  counted,
  type Grounds,
  type PreparedOperation,
  prepareOperation,
  type RefusedOperation,
} from "./operations.ts";
import { publicError } from "./public-errors.ts";

interface EventStreamsOptions extends Grounds {
  readonly logger: Logger;
  /** `lastEventId` is the number of the last event that the caller has seen. */
  readonly createContext: (response: Response, lastEventId?: number) => Context;
}

/** An answer, and the number of the event that it tells of, if it has one. */
interface Answer {
  readonly result: ExecutionResult;
  readonly seq?: number;
}

const MOST_STREAMS = 100;
const KEEP_ALIVE_MILLISECONDS = 12_000;

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  // Proxies that collect answers before they pass them on would hold events back.
  "x-accel-buffering": "no",
};

/**
 * GraphQL over server-sent events: one stream for each operation ("distinct connections mode" of graphql-sse), with
 * the limits that hold on HTTP. Answers, errors among them, come as `next` events; `complete` is the last. A stream
 * that ends without it was cut. Events of a job have their number as id, and `Last-Event-ID` goes on from there.
 */
export class EventStreams {
  private readonly open = new Map<string, Set<Response>>();

  constructor(private readonly options: EventStreamsOptions) {}

  /** Comes after the parsers of bodies. */
  readonly handler: RequestHandler = async (request, response) => {
    if (!request.accepts("text/event-stream"))
      return void response.status(406).json({ error: "This address answers with text/event-stream only." });
    const parameters = parametersOf(request);
    const context = this.options.createContext(response, lastEventIdOf(request));
    const leave = this.enter(context.tenant.name, response);
    try {
      const operation = await prepareOperation(this.options, parameters, {
        transport: "sse",
        contextValue: context,
        readOnly: request.method === "GET",
      });
      await this.tell(operation, context, response);
    } finally {
      leave();
    }
  };

  /** Ends every stream. Its reader sees that it was cut, and goes on elsewhere. */
  close(): void {
    for (const responses of this.open.values()) for (const response of responses) response.end();
  }

  /** Fails with QUOTA_EXCEEDED. */
  private enter(tenant: string, response: Response): () => void {
    const responses = this.open.get(tenant) ?? new Set();
    if (responses.size >= MOST_STREAMS)
      throw new AppError("QUOTA_EXCEEDED", `A tenant has at most ${MOST_STREAMS} streams open at once.`);
    this.open.set(tenant, responses.add(response));
    return () => {
      if (responses.delete(response) && responses.size === 0) this.open.delete(tenant);
    };
  }

  private async tell(
    operation: PreparedOperation | RefusedOperation,
    { requestId }: Context,
    response: Response,
  ): Promise<void> {
    const { logger } = this.options;
    // The server may have stopped meanwhile.
    if (response.writableEnded) return;
    response.writeHead(200, HEADERS);
    // Until something has come, some browsers do not take a stream for open.
    response.write(":\n\n");
    const keepAlive = setInterval(() => {
      // One that was ended stays open until its reader has taken all of it.
      if (response.writableEnded) clearInterval(keepAlive);
      else response.write(":\n\n");
    }, KEEP_ALIVE_MILLISECONDS).unref();
    try {
      for await (const { result, seq } of answersTo(operation, response)) {
        const errors = result.errors?.map((error) => publicError(error, requestId, logger));
        const extensions = operation.cost === undefined ? {} : costExtension(operation.cost);
        const data = JSON.stringify({ ...result, errors, extensions });
        await send(response, `event: next\n${seq === undefined ? "" : `id: ${seq}\n`}data: ${data}\n\n`);
      }
      if (!response.writableEnded) response.end("event: complete\ndata:\n\n");
    } catch (error) {
      logger.error({ requestId, err: error }, "a stream broke off");
      response.end();
    } finally {
      clearInterval(keepAlive);
    }
  }
}

function lastEventIdOf(request: Request): number | undefined {
  const id = request.headers["last-event-id"];
  return typeof id === "string" && /^\d{1,9}$/.test(id) ? Number(id) : undefined;
}

/** One answer, or one for each event until the source is at its end or the response is closed. */
async function* answersTo(
  operation: PreparedOperation | RefusedOperation,
  response: Response,
): AsyncGenerator<Answer> {
  if ("errors" in operation) return yield { result: { errors: operation.errors } };
  if (operation.type !== "subscription")
    return yield { result: await counted(operation, execute(operation)) };
  const source = await counted(operation, createSourceEventStream(operation));
  if (!isAsyncIterable(source)) return yield { result: source };
  const events = source[Symbol.asyncIterator]();
  // A source that waits for its next event is woken up to end.
  const leave = () => void events.return?.();
  response.once("close", leave);
  if (response.destroyed) leave();
  for (let next = await events.next(); !next.done; next = await events.next()) {
    const event = next.value as { readonly seq?: number };
    yield { result: await execute({ ...operation, rootValue: event }), seq: event.seq };
  }
}

const isAsyncIterable = (value: object): value is AsyncIterable<unknown> => Symbol.asyncIterator in value;

/** Waits for a slow reader, so that events stay in the store and not in this process. */
async function send(response: Response, text: string): Promise<void> {
  if (response.destroyed || response.writableEnded || response.write(text)) return;
  const settled = new AbortController();
  await Promise.race(["drain", "close"].map((event) => once(response, event, { signal: settled.signal })));
  settled.abort();
}
