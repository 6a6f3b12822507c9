import type { Server } from "node:http";
import { ApolloServer, type ApolloServerPlugin } from "@apollo/server";
import { ApolloServerPluginLandingPageDisabled } from "@apollo/server/plugin/disabled";
import { ApolloServerPluginDrainHttpServer } from "@apollo/server/plugin/drainHttpServer";
import type { GraphQLSchema } from "graphql";
import type { Logger } from "pino";
import type { Context } from "../context.ts";
import type { ErrorCode } from "../errors.ts";
import { costOf, LIMITING_RULES, MOST_TOKENS } from "./limits.ts";
import type { Metrics } from "./metrics.ts";
import { httpStatusOf, publicError } from "./public-errors.ts";

/** Headers that no page of another origin can send without asking first; one of them must be there. */
export const CSRF_HEADERS = ["authorization", "apollo-require-preflight", "x-requested-with"];

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
    csrfPrevention: { requestHeaders: CSRF_HEADERS },
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
      ApolloServerPluginDrainHttpServer({ httpServer }),
      edge(schema, logger, metrics),
    ],
  });
}

/** Costs, request ids, statuses, and the time that operations take. */
function edge(schema: GraphQLSchema, logger: Logger, metrics: Metrics): ApolloServerPlugin<Context> {
  return {
    async requestDidStart({ contextValue: { requestId } }) {
      const start = performance.now();
      return {
        async didResolveOperation({ document, operationName, request, contextValue }) {
          const cost = costOf({ schema, document, operationName, variables: request.variables });
          const { caller, server } = contextValue;
          if (caller) await server.budget.spend(caller.tenant, cost);
        },
        async didEncounterErrors({ errors }) {
          for (const error of errors) error.extensions.requestId = requestId;
        },
        async willSendResponse({ response, operation, operationName }) {
          const errors = response.body.kind === "single" ? (response.body.singleResult.errors ?? []) : [];
          const codes = errors.map(({ extensions }) => extensions?.code as ErrorCode);
          const status = codes.map(httpStatusOf).find((code) => code === 401 || code === 429);
          if (status !== undefined) response.http.status = status;
          const wait = errors.find(({ extensions }) => extensions?.retryAfterMs !== undefined)?.extensions
            ?.retryAfterMs;
          if (typeof wait === "number")
            response.http.headers.set("retry-after", String(Math.ceil(wait / 1000)));
          response.http.headers.set("x-request-id", requestId);
          const milliseconds = performance.now() - start;
          const outcome = errors.length === 0 ? "ok" : "error";
          metrics.operations.observe({ type: operation?.operation ?? "none", outcome }, milliseconds / 1000);
          logger.info(
            { requestId, operation: operationName, milliseconds: Math.round(milliseconds), codes },
            "request",
          );
        },
      };
    },
  };
}
