import { trace } from "@opentelemetry/api";
import {
  type DocumentNode,
  type ExecutionArgs,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  parse,
  specifiedRules,
  validate,
} from "graphql";
import type { Context } from "../context.ts";
import { charge, costOf, LIMITING_RULES, MOST_TOKENS } from "./limits.ts";
import type { OperationParameters } from "./operation-parameters.ts";
import type { TrustedDocuments } from "./trusted-documents.ts";

/** What an operation is checked against. */
export interface Grounds {
  readonly schema: GraphQLSchema;
  readonly documents: TrustedDocuments;
}

/** An operation that may run, and what it has cost. */
export interface PreparedOperation extends ExecutionArgs {
  readonly contextValue: Context;
  readonly cost: number;
}

/** Why an operation may not run. */
export interface RefusedOperation {
  readonly errors: readonly GraphQLError[];
  /** Absent when it was refused before it could be told. */
  readonly cost?: number;
}

/** Checks and charges an operation for the transports beside Apollo's, with the limits that hold on HTTP. */
export async function prepareOperation(
  { schema, documents }: Grounds,
  parameters: OperationParameters,
  contextValue: Context,
): Promise<PreparedOperation | RefusedOperation> {
  let cost: number | undefined;
  try {
    const { query, operationName, variables } = documents.resolve(parameters, contextValue.caller);
    const document = parseDocument(query);
    const problems = validate(schema, document, [...specifiedRules, ...LIMITING_RULES]);
    if (problems.length > 0)
      return { errors: problems.map((problem) => withCode(problem, "VALIDATION_FAILED")) };
    const operation = getOperationAST(document, operationName);
    trace.getActiveSpan()?.setAttributes({
      "graphql.operation.type": operation?.operation,
      "graphql.operation.name": operation?.name?.value ?? "",
    });
    cost = costOf({ schema, document, operationName, variables });
    await charge(contextValue, cost);
    return { schema, document, operationName, variableValues: variables, contextValue, cost };
  } catch (error) {
    return { errors: [asGraphQLError(error)], cost };
  }
}

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
