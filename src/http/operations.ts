import { trace } from "@opentelemetry/api";
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  type OperationTypeNode,
  parse,
  specifiedRules,
  validate,
} from "graphql";
import type { Logger } from "pino";
import type { Context } from "../context.ts";
import { AppError } from "../errors.ts";
import { charge, costOf, LIMITING_RULES, MOST_TOKENS } from "./limits.ts";
import type { Metrics, Transport } from "./metrics.ts";
import type { OperationParameters } from "./operation-parameters.ts";
import { codeOf } from "./public-errors.ts";
import type { TrustedDocuments } from "./trusted-documents.ts";

/** What an operation is checked against, and counted and logged in. */
export interface Grounds {
  readonly schema: GraphQLSchema;
  readonly documents: TrustedDocuments;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** So much of an operation's name stands in the log. */
const MOST_OF_NAME = 100;

/** How and by whom an operation is asked for. */
interface Asked {
  readonly transport: Transport;
  readonly contextValue: Context;
  /** Of a request that must not change anything. */
  readonly readOnly?: boolean;
}

/** An operation that may run, and what it has cost. */
export interface PreparedOperation extends ExecutionArgs {
  readonly contextValue: Context;
  readonly cost: number;
  readonly type: OperationTypeNode | undefined;
  /** Takes down how long it took and how it failed, if it did; called once. */
  readonly onOutcome: (errors: readonly unknown[]) => void;
}

/** Why an operation may not run. */
export interface RefusedOperation {
  readonly errors: readonly GraphQLError[];
  /** Absent when it was refused before it could be told. */
  readonly cost?: number;
}

/**
 * Checks and charges an operation for the transports beside Apollo's, with the limits that hold on HTTP. One that is
 * refused has been counted and logged; any other is by what came of it, see {@link counted}.
 */
export async function prepareOperation(
  { schema, documents, metrics, logger }: Grounds,
  parameters: OperationParameters,
  { transport, contextValue, readOnly }: Asked,
): Promise<PreparedOperation | RefusedOperation> {
  const answered = metrics.timeOperation(transport);
  let type: OperationTypeNode | undefined;
  let cost: number | undefined;
  const onOutcome = (errors: readonly unknown[]) => {
    const milliseconds = Math.round(1000 * answered(type, errors.length > 0));
    const { requestId } = contextValue;
    // As long as the caller likes, and not yet known to be one of the document's.
    const operation = parameters.operationName?.slice(0, MOST_OF_NAME);
    logger.info({ requestId, transport, operation, milliseconds, codes: errors.map(codeOf) }, "request");
  };
  try {
    const { query, operationName, variables } = documents.resolve(parameters, contextValue.caller);
    const document = parseDocument(query);
    const problems = validate(schema, document, [...specifiedRules, ...LIMITING_RULES]);
    if (problems.length > 0) {
      const errors = problems.map((problem) => withCode(problem, "VALIDATION_FAILED"));
      onOutcome(errors);
      return { errors };
    }
    const operation = getOperationAST(document, operationName);
    type = operation?.operation;
    trace.getActiveSpan()?.setAttributes({
      "graphql.operation.type": type,
      "graphql.operation.name": operation?.name?.value ?? "",
    });
    cost = costOf({ schema, document, operationName, variables });
    await charge(contextValue, cost);
    if (readOnly && type === "mutation") throw changesNothing();
    return {
      schema,
      document,
      operationName,
      variableValues: variables,
      contextValue,
      cost,
      type,
      onOutcome,
    };
  } catch (error) {
    onOutcome([error]);
    return { errors: [asGraphQLError(error)], cost };
  }
}

/** What came of an operation, counted: its answer, or of a subscription its events or why there are none. */
export async function counted<Outcome extends ExecutionResult | AsyncIterable<unknown>>(
  { onOutcome }: PreparedOperation,
  outcome: Promise<Outcome> | Outcome,
): Promise<Outcome> {
  const told = await outcome;
  onOutcome(("errors" in told && told.errors) || []);
  return told;
}

const changesNothing = (): AppError =>
  new AppError("BAD_USER_INPUT", "A mutation cannot be asked for with GET. Use POST.");

function parseDocument(query: string | null | undefined): DocumentNode {
  if (!query) throw new GraphQLError("There is no `query`.", { extensions: { code: "BAD_USER_INPUT" } });
  try {
    return parse(query, { maxTokens: MOST_TOKENS });
  } catch (error) {
    throw error instanceof GraphQLError ? withCode(error, "PARSE_FAILED") : error;
  }
}

const withCode = (error: GraphQLError, code: string): GraphQLError =>
  new GraphQLError(error.message, { nodes: error.nodes, extensions: { code } });

export const asGraphQLError = (error: unknown): GraphQLError =>
  error instanceof GraphQLError
    ? error
    : new GraphQLError("The operation was refused.", { originalError: error as Error });
