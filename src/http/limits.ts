import {
  type DocumentNode,
  type FieldNode,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  Kind,
  type SelectionSetNode,
  type ValidationRule,
} from "graphql";
import {
  type ComplexityEstimator,
  fieldExtensionsEstimator,
  getComplexity,
  simpleEstimator,
} from "graphql-query-complexity";
import type { Context } from "../context.ts";
import { AppError } from "../errors.ts";

/** A thousand labels written into the query, and a query around them; more belongs in variables. */
export const MOST_TOKENS = 5000;
const DEEPEST = 15;
const MOST_ALIASES = 30;
const HIGHEST_COST = 20_000;

/** Refuses what is nested deeper than any sensible question; introspection is not counted. */
export const depthLimit: ValidationRule = (context) => ({
  OperationDefinition(operation) {
    const depth = depthOf(operation.selectionSet, new Set());
    if (depth > DEEPEST)
      context.reportError(
        new GraphQLError(`The operation is ${depth} fields deep; at most ${DEEPEST} are allowed.`, {
          nodes: operation,
        }),
      );

    function depthOf(selections: SelectionSetNode | undefined, spreads: ReadonlySet<string>): number {
      if (!selections) return 0;
      return Math.max(
        0,
        ...selections.selections.map((selection) => {
          if (selection.kind === Kind.FIELD)
            return isIntrospection(selection) ? 0 : 1 + depthOf(selection.selectionSet, spreads);
          if (selection.kind === Kind.INLINE_FRAGMENT) return depthOf(selection.selectionSet, spreads);
          const name = selection.name.value;
          // A fragment within itself is refused by another rule.
          if (spreads.has(name)) return 0;
          return depthOf(context.getFragment(name)?.selectionSet, new Set([...spreads, name]));
        }),
      );
    }
  },
});

const isIntrospection = (field: FieldNode): boolean => field.name.value.startsWith("__");

/** Refuses to do the same thing many times under other names. */
export const aliasLimit: ValidationRule = (context) => {
  let aliases = 0;
  return {
    Field(field) {
      if (field.alias && ++aliases === MOST_ALIASES + 1)
        context.reportError(
          new GraphQLError(`The operation has more than ${MOST_ALIASES} aliases. Send it in parts.`, {
            nodes: field,
          }),
        );
    },
  };
};

/** Beside those of the specification. */
export const LIMITING_RULES: readonly ValidationRule[] = [depthLimit, aliasLimit];

/** A page costs its length times its items. */
const pageEstimator: ComplexityEstimator = ({ args, childComplexity }) =>
  typeof args.first === "number" ? 1 + Math.max(1, args.first) * childComplexity : undefined;

const estimators = [fieldExtensionsEstimator(), pageEstimator, simpleEstimator({ defaultComplexity: 1 })];

/** What an operation costs before it runs; one that is not there, or whose variables do not fit, costs nothing. */
export function costOf(operation: {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operationName?: string | null;
  readonly variables?: Record<string, unknown> | null;
}): number {
  const { schema, document, operationName, variables } = operation;
  const operationNode = getOperationAST(document, operationName);
  if (!operationNode) return 0;
  const coerced = getVariableValues(schema, operationNode.variableDefinitions ?? [], variables ?? {});
  // The execution refuses such variables in its own words.
  if (coerced.errors) return 0;
  return getComplexity({
    schema,
    query: document,
    operationName: operationName ?? undefined,
    variables: variables ?? {},
    estimators,
  });
}

/**
 * Counts an operation. Fails with COST_EXCEEDED, with THROTTLED when the caller's tenant has not so much left, or with
 * QUOTA_EXCEEDED when it has had all its requests.
 */
export async function charge({ caller, server }: Context, cost: number): Promise<void> {
  if (cost > HIGHEST_COST) {
    const message = `The operation costs ${cost}; at most ${HIGHEST_COST} is allowed. Ask for less.`;
    throw new AppError("COST_EXCEEDED", message, { cost, limit: HIGHEST_COST });
  }
  if (!caller) return;
  await server.budget.spend(caller.tenant, cost);
  // Whoever sets quotas is never shut out by them.
  const counted = caller.scopes.includes("admin") ? "count" : "charge";
  await server.meter[counted](caller.tenant, "requests", 1);
}

/** What every answer tells of its operation, as `extensions.cost`. */
export const costExtension = (cost: number) => ({ cost: { operation: cost, limit: HIGHEST_COST } });
