import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import type { Duplex } from "node:stream";
import { type ExecutionResult, execute, type GraphQLError, subscribe } from "graphql";
import { type Extra, useServer as serveOperations } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import type { Context } from "../context.ts";
import { AppError } from "../errors.ts";
import { callerGone, goneController } from "./gone.ts";
import { costExtension } from "./limits.ts";
import { OperationSpan } from "./operation-span.ts";
import {
  asGraphQLError,
  counted,
  type Grounds,
  type PreparedOperation,
  prepareOperation,
} from "./operations.ts";
import { publicError } from "./public-errors.ts";
import { singleAnswer } from "./single-answer.ts";
import { withEnd } from "./with-end.ts";

interface WebSocketOptions extends Grounds {
  readonly httpServer: Server;
  readonly path: string;
  /** Bytes of one message. */
  readonly maxPayload: number;
  /** Fails with UNAUTHENTICATED; called again for every operation, so a revoked key ends there. */
  readonly createContext: (authorization: string | undefined, signal?: AbortSignal) => Promise<Context>;
}

/** An operation that whoever asked for it may leave, by completing it or by closing the connection. */
interface SocketOperation extends PreparedOperation {
  readonly gone: AbortController;
  readonly span: OperationSpan;
}

const MOST_OPERATIONS = 100;
const UNAUTHORIZED = 4401;
/** How long a client is waited for that was told to go. */
const FAREWELL_MILLISECONDS = 2000;

/** GraphQL over WebSocket (graphql-transport-ws), with the limits that hold on HTTP. Resolves to its end. */
export function serveWebSocket(options: WebSocketOptions): () => Promise<void> {
  const { httpServer, path, maxPayload, logger, metrics, createContext } = options;
  // Given the server, it would take the server's errors, such as a taken port, for its own.
  const sockets = new WebSocketServer({ noServer: true, maxPayload });
  httpServer.on("upgrade", (request, socket, head) => {
    if (request.url?.split("?")[0] === path)
      sockets.handleUpgrade(request, socket, head, (client) => sockets.emit("connection", client, request));
    else refuseUpgrade(socket);
  });
  sockets.on("connection", (socket) => {
    metrics.sockets.inc();
    socket.once("close", () => metrics.sockets.dec());
  });
  /** The requests whose refusals these are; the messages that they came with have ids of the caller's own. */
  const refusedIn = new WeakMap<GraphQLError, string>();
  const disposable = serveOperations<Record<string, unknown>>(
    {
      onConnect: async ({ connectionParams, extra }) => {
        const authorization = authorizationOf(connectionParams, extra);
        const context = await createContext(authorization).catch(() => undefined);
        if (context?.caller) return true;
        // Other than the library's own 4403, this code tells clients not to try again.
        extra.socket.close(UNAUTHORIZED, "The API key is missing or not valid");
        return false;
      },
      onSubscribe: async ({ connectionParams, extra, subscriptions }, _id, payload) => {
        const gone = goneController();
        const span = new OperationSpan(`WebSocket ${path}`, payload.extensions);
        try {
          if (Object.keys(subscriptions).length > MOST_OPERATIONS)
            throw new AppError(
              "QUOTA_EXCEEDED",
              `A connection has at most ${MOST_OPERATIONS} operations at once.`,
            );
          const contextValue = await createContext(authorizationOf(connectionParams, extra), gone.signal);
          span.named(contextValue.requestId);
          const operation = await span.within(() =>
            prepareOperation(options, payload, { transport: "websocket", contextValue }),
          );
          if (!("errors" in operation)) return { ...operation, gone, span } satisfies SocketOperation;
          span.end();
          for (const error of operation.errors) refusedIn.set(error, contextValue.requestId);
          return operation.errors;
        } catch (error) {
          span.end();
          return [asGraphQLError(error)];
        }
      },
      execute: (operation) => {
        const { gone, span } = operation as SocketOperation;
        const answer = singleAnswer(
          () => span.within(() => counted(operation as SocketOperation, execute(operation))),
          () => gone.abort(callerGone()),
        );
        return withEnd(answer, () => span.end());
      },
      subscribe: async (operation) => {
        const { span } = operation as SocketOperation;
        const source = await span.within(() => counted(operation as SocketOperation, subscribe(operation)));
        if (isAsyncIterable(source)) return withEnd(source, () => span.end());
        span.end();
        return source;
      },
      onError: (_context, _id, _payload, errors) =>
        errors.map((error) => publicError(error, refusedIn.get(error) ?? randomUUID(), logger)),
      onNext: (_context, _id, _payload, operation, result) => {
        const { cost, contextValue, span } = operation as SocketOperation;
        const errors = result.errors?.map((error) => publicError(error, contextValue.requestId, logger));
        if (errors?.some(({ extensions }) => extensions?.code === "INTERNAL")) span.fail("INTERNAL");
        return { ...result, ...(errors && { errors }), extensions: costExtension(cost) };
      },
    },
    sockets,
  );
  sockets.on("connection", (socket) => {
    // A message that is too large is its sender's mistake; the library would print it as this server's.
    socket.removeAllListeners("error");
    socket.on("error", (error) => logger.debug({ err: error }, "websocket error"));
  });
  return async () => {
    const patience = setTimeout(() => {
      for (const client of sockets.clients) client.terminate();
    }, FAREWELL_MILLISECONDS);
    await disposable.dispose();
    clearTimeout(patience);
  };
}

/** The server has let go of this connection: its errors are heard here or nowhere, and nothing else ends it. */
function refuseUpgrade(socket: Duplex): void {
  socket.on("error", () => socket.destroy());
  socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n", () => socket.destroy());
}

/** The key of `connectionParams.authorization`, or of the header of the request that opened the socket. */
function authorizationOf(
  parameters: Readonly<Record<string, unknown>> | undefined,
  { request }: Extra,
): string | undefined {
  const given = parameters?.authorization ?? parameters?.Authorization;
  return typeof given === "string" ? given : request.headers.authorization;
}

const isAsyncIterable = (value: object): value is AsyncIterable<ExecutionResult> =>
  Symbol.asyncIterator in value;
