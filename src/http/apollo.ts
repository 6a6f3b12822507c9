import type { Server } from "node:http";
import { ApolloServer, type ApolloServerPlugin } from "@apollo/server";
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
} from "@apollo/server/plugin/disabled";
import { ApolloServerPluginDrainHttpServer } from "@apollo/server/plugin/drainHttpServer";
import { trace } from "@opentelemetry/api";
import type { GraphQLSchema } from "graphql";
import type { Logger } from "pino";
import type { Context } from "../context.ts";
import { AppError } from "../errors.ts";
import { charge, costExtension, costOf, LIMITING_RULES, MOST_TOKENS } from "./limits.ts";
import type { Metrics } from "./metrics.ts";
import { httpStatusOf, publicError, secondsToWait, type ToldExtensions } from "./public-errors.ts";

interface ApolloOptions {
  readonly schema: GraphQLSchema;
  readonly httpServer: Server;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** GraphQL over HTTP. */
export function createApollo({ schema, httpServer, logger, metrics }: ApolloOptions): ApolloServer<Context> {
  return new ApolloServer<Context>({
    schema,
    introspection: true,
    persistedQueries: false,
    // A page of another site can make a browser send a request, but never a key: that is in a header, not a cookie.
    csrfPrevention: false,
    includeStacktraceInErrorResponses: false,
    parseOptions: { maxTokens: MOST_TOKENS },
    validationRules: [...LIMITING_RULES],
    stopOnTerminationSignals: false,
    logger,
    formatError: (formatted, error) => {
      // Only the untouched error tells the expected from the unexpected.
      const { requestId } = (formatted.extensions ?? {}) as { requestId?: string };
      return publicError(error, requestId ?? "", logger);
    },
    plugins: [
      ApolloServerPluginLandingPageDisabled(),
      // It looks at every field for hints that none has; `no-store` is said below.
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginDrainHttpServer({ httpServer }),
      edge(schema, logger, metrics),
    ],
  });
}

/** Costs, request ids, statuses, and the time that operations take. */
function edge(schema: GraphQLSchema, logger: Logger, metrics: Metrics): ApolloServerPlugin<Context> {
  return {
    async requestDidStart({ contextValue: { requestId } }) {
      const answered = metrics.timeOperation("http");
      let cost: number | undefined;
      return {
        async didResolveOperation({ document, operation, operationName, request, contextValue }) {
          trace.getActiveSpan()?.setAttributes({
            "graphql.operation.type": operation?.operation,
            "graphql.operation.name": operationName ?? "",
          });
          if (operation?.operation === "subscription") throw oneAnswerOnly();
          cost = costOf({ schema, document, operationName, variables: request.variables });
          await charge(contextValue, cost);
        },
        async didEncounterErrors({ errors }) {
          for (const error of errors) error.extensions.requestId = requestId;
        },
        async willSendResponse({ request, response, operation, operationName }) {
          const result = response.body.kind === "single" ? response.body.singleResult : {};
          if (cost !== undefined) result.extensions = { ...result.extensions, ...costExtension(cost) };
          if (response.http.status === 400 && asksForPlainJson(request.http?.headers.get("accept")))
            response.http.status = 200;
          const errors = result.errors ?? [];
          const told = errors.map(({ extensions }) => (extensions ?? {}) as unknown as ToldExtensions);
          const codes = told.map(({ code }) => code);
          const status = told.map(httpStatusOf).find((code) => code === 401 || code === 429);
          if (status !== undefined) response.http.status = status;
          // Apollo takes whatever was thrown before the execution for a failure of the server.
          else if (response.http.status === 500 && told.length > 0)
            response.http.status = httpStatusOf(told[0]);
          const wait = told.map(secondsToWait).find((seconds) => seconds !== undefined);
          if (wait !== undefined) response.http.headers.set("retry-after", String(wait));
          response.http.headers.set("x-request-id", requestId);
          response.http.headers.set("cache-control", "no-store");
          const milliseconds = Math.round(1000 * answered(operation?.operation, errors.length > 0));
          logger.info({ requestId, operation: operationName, milliseconds, codes }, "request");
        },
      };
    },
  };
}

/** This transport gives one answer to one request; left to itself, the executor would look for an event in nothing. */
const oneAnswerOnly = (): AppError =>
  new AppError(
    "BAD_USER_INPUT",
    "A subscription is followed over WebSocket at /graphql, or as server-sent events at /graphql/stream.",
  );

/**
 * Whoever asks for `application/json` by name expects, as before `application/graphql-response+json` came up, that a
 * request in order is answered with 200 even if its document or variables are not.
 */
const asksForPlainJson = (accept = ""): boolean =>
  accept.includes("application/json") && !accept.includes("application/graphql-response+json");
