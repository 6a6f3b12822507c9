import {
  type DocumentNode,
  type FieldNode,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  isInputObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type TypeNode,
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
import { LeastRecent } from "../services/least-recent.ts";

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

interface CostedOperation {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operationName?: string | null;
  readonly variables?: Record<string, unknown> | null;
}

const COSTS_KEPT = 64;
/** Costs that were computed for a parsed document, by what they depend on. */
const known = new WeakMap<DocumentNode, LeastRecent<number>>();

/**
 * What an operation costs before it runs; one that is not there, or whose variables do not fit, costs nothing. No
 * field's cost depends on what is in an input object, so the same document with another object costs the same.
 */
export function costOf(operation: CostedOperation): number {
  const { schema, document, operationName, variables } = operation;
  const operationNode = getOperationAST(document, operationName);
  if (!operationNode) return 0;
  const relevant = (operationNode.variableDefinitions ?? []).filter(({ type }) => !isObject(schema, type));
  const key = JSON.stringify([
    operationName,
    ...relevant.map(({ variable }) => variables?.[variable.name.value]),
  ]);
  const costs = known.get(document) ?? new LeastRecent<number>(COSTS_KEPT);
  known.set(document, costs);
  const cost = costs.get(key) ?? computeCost(operation, operationNode);
  // Nothing is what variables cost that do not fit; the next ones may.
  if (cost > 0) costs.set(key, cost);
  return cost;
}

/** Whether a variable of that type holds an input object, or a list of them. */
function isObject(schema: GraphQLSchema, type: TypeNode): boolean {
  if (type.kind !== Kind.NAMED_TYPE) return isObject(schema, type.type);
  return isInputObjectType(schema.getType(type.name.value));
}

function computeCost(
  { schema, document, operationName, variables }: CostedOperation,
  node: OperationDefinitionNode,
): number {
  const coerced = getVariableValues(schema, node.variableDefinitions ?? [], variables ?? {});
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
