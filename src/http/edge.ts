import { randomUUID } from "node:crypto";
import type { ApolloServer } from "@apollo/server";
import { expressMiddleware } from "@as-integrations/express5";
import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Response } from "express";
import helmet from "helmet";
import type { Logger } from "pino";
import type { Limits } from "../config.ts";
import type { Context } from "../context.ts";
import { Turns } from "../engine/runtime/turns.ts";
import { AppError } from "../errors.ts";
import { type Caller, unauthenticated } from "../services/access.ts";
import { localId } from "../services/global-id.ts";
import type { Tenant } from "../services/tenant.ts";
import { EventStreams } from "./event-streams.ts";
import { callerGone, goneController } from "./gone.ts";
import { type OperationParameters, parametersOf } from "./operation-parameters.ts";
import type { Grounds } from "./operations.ts";
import { playground } from "./playground.ts";
import { httpStatusOf, publicError, secondsToWait, type ToldExtensions } from "./public-errors.ts";
import { receiveUploads } from "./receive-uploads.ts";
import { traced } from "./traced.ts";
import type { TrustedDocuments } from "./trusted-documents.ts";

export const GRAPHQL_PATH = "/graphql";
const STREAM_PATH = "/graphql/stream";

/** Headers that no page of another origin can send without asking first; an upload must have one of them. */
const CSRF_HEADERS = ["authorization", "apollo-require-preflight", "x-requested-with"];

interface EdgeOptions extends Grounds {
  readonly apollo: ApolloServer<Context>;
  readonly limits: Limits;
  readonly logger: Logger;
  /** Undefined without a key; fails with UNAUTHENTICATED for one that is not valid. */
  readonly identify: (authorization: string | undefined) => Promise<Caller | undefined>;
  readonly createContext: (
    caller: Caller | undefined,
    requestId: string,
    signal: AbortSignal,
    lastEventId?: number,
  ) => Context;
  readonly tenant: (name: string) => Tenant;
  /** Fails when the server cannot answer images. The detail is what a ready server has to say all the same. */
  readonly assertReady: () => Promise<{ readonly detail?: string }>;
}

/** What a request carries from one middleware to the next. */
interface Locals {
  requestId: string;
  caller: Caller | undefined;
}

/** Everything that is served over HTTP. Answers what ends the open streams. */
export function configureEdge(app: Express, options: EdgeOptions): () => void {
  const { apollo, schema, documents, limits, logger, metrics } = options;
  app.disable("x-powered-by");
  // Answers are not to be stored, so nobody asks whether one has changed.
  app.disable("etag");
  app.use(secureHeaders(), nameRequest);
  app.get("/healthz", (_request, response) => void response.json({ status: "alive" }));
  app.get("/readyz", readiness(options));
  app.get("/metrics", metricsPage(options));
  app.get("/artifacts/:version", identified(options), artifacts(options));
  const parsers = [
    inTurns(),
    identified(options),
    guardUploads,
    receiveUploads(limits),
    express.json({ limit: limits.requestBytes }),
    traced,
  ];
  const contextOf = (response: Response, lastEventId?: number): Context => {
    const { caller, requestId } = response.locals as Locals;
    return options.createContext(caller, requestId, goneSignal(response), lastEventId);
  };
  const streams = new EventStreams({ schema, documents, metrics, logger, createContext: contextOf });
  app
    .route(STREAM_PATH)
    .get(...parsers, streams.handler)
    .post(...parsers, streams.handler)
    .all((_request, response) => void response.status(405).setHeader("allow", "GET, POST").end());
  app.use(
    GRAPHQL_PATH,
    ...parsers,
    withDocument(documents),
    expressMiddleware(apollo, { context: async ({ res }) => contextOf(res) }),
  );
  app.use(playground());
  app.use((_request, response) => void response.status(404).json({ error: "There is nothing here." }));
  app.use(failures(logger));
  return () => streams.close();
}

/** Aborted when whoever asks has gone. */
function goneSignal(response: Response): AbortSignal {
  const gone = goneController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort(callerGone());
  });
  return gone.signal;
}

function secureHeaders(): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        // GraphiQL's editor sets styles on elements.
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", "data:"],
        fontSrc: ["'self'", "data:"],
        connectSrc: ["'self'", "ws:", "wss:"],
        objectSrc: ["'none'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
      },
    },
    // The server itself speaks HTTP; whatever ends TLS before it can say this.
    strictTransportSecurity: false,
  });
}

const nameRequest: RequestHandler = (request, response, next) => {
  const given = request.headers["x-request-id"];
  const requestId = typeof given === "string" && /^[\w-]{1,64}$/.test(given) ? given : randomUUID();
  response.locals.requestId = requestId;
  response.setHeader("x-request-id", requestId);
  next();
};

/** Requests that have come together are begun a few at a time; whoever asks whether the server lives is answered between. */
function inTurns(): RequestHandler {
  const turns = new Turns();
  return (_request, _response, next) => turns.enter(next);
}

/** A key that is not valid is refused before anything of the body is read. */
function identified({ identify }: EdgeOptions): RequestHandler {
  return async (request, response, next) => {
    response.locals.caller = await identify(request.headers.authorization);
    next();
  };
}

/** Before the multipart parser: a form of another site cannot send these headers, and nobody uploads without a key. */
const guardUploads: RequestHandler = (request, response, next) => {
  if (!request.is("multipart/form-data")) return next();
  if (!CSRF_HEADERS.some((header) => request.headers[header] !== undefined))
    throw new AppError("FORBIDDEN", `An upload needs one of the headers ${CSRF_HEADERS.join(", ")}.`);
  if (!(response.locals as Locals).caller) throw unauthenticated();
  next();
};

/** Puts the text of a trusted document in the place of its id, where Apollo looks for it. */
function withDocument(documents: TrustedDocuments): RequestHandler {
  return (request, response, next) => {
    const { caller } = response.locals as Locals;
    if (request.method === "POST") request.body = documents.resolve(parametersOf(request), caller);
    if (request.method === "GET") request.url = withSearch(documents.resolve(parametersOf(request), caller));
    next();
  };
}

function withSearch({ query, operationName, variables, extensions }: OperationParameters): string {
  const json = { variables: JSON.stringify(variables), extensions: JSON.stringify(extensions) };
  const given = Object.entries({ query, operationName, ...json }).filter(([, value]) => value != null);
  return `/?${new URLSearchParams(given as [string, string][])}`;
}

function readiness({ assertReady, logger }: EdgeOptions): RequestHandler {
  return async (_request, response) => {
    try {
      response.json({ status: "ready", ...(await assertReady()) });
    } catch (error) {
      logger.warn({ err: error }, "not ready");
      response.status(503).json({ status: "not ready" });
    }
  };
}

function metricsPage({ metrics }: EdgeOptions): RequestHandler {
  return async (_request, response) => {
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  };
}

/** A version's portable bundle, or with `?format=coop` a checkpoint of CoOp's, for its own tenant. Takes both its ids. */
function artifacts({ tenant }: EdgeOptions): RequestHandler {
  return async (request, response) => {
    const { caller } = response.locals as Locals;
    if (!caller) throw unauthenticated();
    const owner = tenant(caller.tenant);
    const id = String(request.params.version);
    const version = await owner.prompts.getVersion(localId("version", id) ?? id);
    const isCoop = request.query.format === "coop";
    response.attachment(`${version.promptSet}-${version.number}.${isCoop ? "pth.tar" : "safetensors"}`);
    const bytes = await owner.artifact(version, isCoop ? "COOP" : "SAFETENSORS");
    response.type("application/octet-stream").send(Buffer.from(bytes));
  };
}

function failures(logger: Logger): ErrorRequestHandler {
  return (error, _request, response: Response, next) => {
    if (response.headersSent) return next(error);
    const { requestId } = response.locals as Locals;
    const formatted = publicError(error, requestId, logger);
    const told = formatted.extensions as unknown as ToldExtensions;
    const wait = secondsToWait(told);
    if (wait !== undefined) response.setHeader("retry-after", String(wait));
    response.status(told.code === "NOT_FOUND" ? 404 : httpStatusOf(told)).json({ errors: [formatted] });
  };
}
