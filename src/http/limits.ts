import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
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
/** With fields of introspection: tools ask for types of lists of lists, 15 deep. */
const DEEPEST_OF_ALL = 30;
const MOST_ALIASES = 30;
const HIGHEST_COST = 20_000;
/** Fields and fragments of an operation with its fragments written out; whoever follows each spread sees all of them. */
const MOST_SELECTIONS = 10_000;

type Measure = (selections: SelectionSetNode | undefined, ofFragment: (name: string) => number) => number;

/**
 * Measures fragments, each one once: where each of thirty spreads the next one twice, the last is spread a billion
 * times. One within itself is refused by another rule, and counts for nothing in there.
 */
function fragmentMeasure(
  fragmentOf: (name: string) => FragmentDefinitionNode | null | undefined,
  measure: Measure,
): (name: string) => number {
  const measured = new Map<string, number>();
  const ofFragment = (name: string): number => {
    const before = measured.get(name);
    if (before !== undefined) return before;
    measured.set(name, 0);
    const measurement = measure(fragmentOf(name)?.selectionSet, ofFragment);
    measured.set(name, measurement);
    return measurement;
  };
  return ofFragment;
}

/** Refuses what is nested deeper than any sensible question; introspection may be deeper. */
export const depthLimit: ValidationRule = (context) => {
  const measures = [
    { depthOf: depthMeasure((field) => !isIntrospection(field)), deepest: DEEPEST },
    { depthOf: depthMeasure(() => true), deepest: DEEPEST_OF_ALL },
  ].map(({ depthOf, deepest }) => ({
    depthOf,
    deepest,
    ofFragment: fragmentMeasure((name) => context.getFragment(name), depthOf),
  }));
  return {
    OperationDefinition(operation) {
      for (const { depthOf, deepest, ofFragment } of measures) {
        const depth = depthOf(operation.selectionSet, ofFragment);
        if (depth <= deepest) continue;
        const message = `The operation is ${depth} fields deep; at most ${deepest} are allowed.`;
        return context.reportError(new GraphQLError(message, { nodes: operation }));
      }
    },
  };
};

/** How many fields are below each other, of those that count. */
function depthMeasure(counts: (field: FieldNode) => boolean): Measure {
  const depthOf: Measure = (selections, ofFragment) =>
    (selections?.selections ?? []).reduce((deepest, selection) => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) return Math.max(deepest, ofFragment(selection.name.value));
      if (selection.kind === Kind.INLINE_FRAGMENT)
        return Math.max(deepest, depthOf(selection.selectionSet, ofFragment));
      return counts(selection) ? Math.max(deepest, 1 + depthOf(selection.selectionSet, ofFragment)) : deepest;
    }, 0);
  return depthOf;
}

const sizeOf: Measure = (selections, ofFragment) =>
  (selections?.selections ?? []).reduce(
    (size, selection) =>
      size +
      1 +
      (selection.kind === Kind.FRAGMENT_SPREAD
        ? ofFragment(selection.name.value)
        : sizeOf(selection.selectionSet, ofFragment)),
    0,
  );

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
/** Of what is longer, nothing is kept: sixty-four of each document are. */
const LONGEST_KEY = 1000;
/** Costs that were computed for an operation of a parsed document, by what they depend on. */
const known = new WeakMap<OperationDefinitionNode, LeastRecent<number>>();

/**
 * What an operation costs before it runs; one that is not there, or whose variables do not fit, costs nothing. No
 * field's cost depends on what is in an input object, so the same document with another object costs the same. Fails
 * with COST_EXCEEDED where working it out would already take too long.
 */
export function costOf(operation: CostedOperation): number {
  const { schema, document, operationName, variables } = operation;
  const operationNode = getOperationAST(document, operationName);
  if (!operationNode) return 0;
  const relevant = (operationNode.variableDefinitions ?? []).filter(({ type }) => !isObject(schema, type));
  const key = relevant.map(({ variable }) => costlyPart(variables?.[variable.name.value])).join();
  const costs = known.get(operationNode) ?? new LeastRecent<number>(COSTS_KEPT);
  known.set(operationNode, costs);
  const cost = costs.get(key) ?? computeCost(operation, operationNode);
  // Nothing is what variables cost that do not fit; the next ones may.
  if (cost > 0 && key.length <= LONGEST_KEY) costs.set(key, cost);
  return cost;
}

/** All of a variable that a cost may depend on: of a list its length, and of text nothing, however long it is. */
function costlyPart(value: unknown): string {
  if (Array.isArray(value)) return `${value.length} items`;
  const counts = typeof value === "number" || typeof value === "boolean" || value === null;
  return counts ? String(value) : typeof value;
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
  assertSize(document, node);
  return getComplexity({
    schema,
    query: document,
    operationName: operationName ?? undefined,
    variables: variables ?? {},
    estimators,
    // Looked at above; the library's own error says neither what is wrong nor which limit there is.
    maxQueryNodes: Number.POSITIVE_INFINITY,
  });
}

/** The estimate follows each spread of a fragment. */
function assertSize({ definitions }: DocumentNode, { selectionSet }: OperationDefinitionNode): void {
  const fragments = new Map(
    definitions.flatMap((definition) =>
      definition.kind === Kind.FRAGMENT_DEFINITION ? [[definition.name.value, definition] as const] : [],
    ),
  );
  const size = sizeOf(
    selectionSet,
    fragmentMeasure((name) => fragments.get(name), sizeOf),
  );
  if (size <= MOST_SELECTIONS) return;
  const message = `With its fragments written out, the operation has more than ${MOST_SELECTIONS} fields. Ask for less.`;
  throw new AppError("COST_EXCEEDED", message, { limit: MOST_SELECTIONS });
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
