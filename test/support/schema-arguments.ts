import {
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
} from "graphql";

type Field = GraphQLField<unknown, unknown>;
type Operation = "query" | "mutation" | "subscription";

/** A place among the arguments of a field where text goes that could name something, such as `input.datasetId`. */
export interface Slot {
  readonly operation: Operation;
  readonly field: Field;
  readonly path: readonly string[];
  /** A string may be the name of something; an ID is meant to be one. */
  readonly type: "ID" | "String";
  /** As in `purify(input.datasetId)`. */
  readonly name: string;
}

/** What an argument may be, by the name of its type or, where that says nothing, by its own. */
export type Samples = Readonly<Record<string, () => unknown>>;

/** Every such place among the arguments of the entry points. */
export function slotsOf(schema: GraphQLSchema): Slot[] {
  return rootsOf(schema).flatMap(([operation, fields]) =>
    fields.flatMap((field) =>
      pathsTo(field).map(({ path, type }) => ({
        operation,
        field,
        path,
        type,
        name: `${field.name}(${path.join(".")})`,
      })),
    ),
  );
}

/** Fields below the entry points that take an ID: nothing here knows how to come to them. */
export function hiddenIdFields(schema: GraphQLSchema): string[] {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  return Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type) && !type.name.startsWith("__") && !roots.includes(type))
    .flatMap((type) =>
      Object.values((type as { getFields(): Record<string, Field> }).getFields())
        .filter((field) => pathsTo(field).some((found) => found.type === "ID"))
        .map((field) => `${type.name}.${field.name}`),
    );
}

/** An operation of this one field, with the text in its place, and with samples where something must be. */
export function operationWith({ operation, field, path }: Slot, text: string, samples: Samples) {
  const given = field.args.filter((arg) => arg.name === path[0] || isRequiredArgument(arg));
  const variables = given.map(({ name, type }) => [
    name,
    name === path[0] ? place(type, path.slice(1), text, samples) : sample(type, name, samples),
  ]);
  const declared = given.map(({ name, type }) => `$${name}: ${type}`).join(", ");
  const passed = given.map(({ name }) => `${name}: $${name}`).join(", ");
  return {
    query: `${operation} (${declared}) { ${field.name}(${passed}) ${selectionOf(field.type)} }`,
    variables: Object.fromEntries(variables),
  };
}

function rootsOf(schema: GraphQLSchema): [Operation, Field[]][] {
  const fieldsOf = (type: { getFields(): Record<string, Field> } | null | undefined) =>
    Object.values(type?.getFields() ?? {});
  return [
    ["query", fieldsOf(schema.getQueryType())],
    ["mutation", fieldsOf(schema.getMutationType())],
    ["subscription", fieldsOf(schema.getSubscriptionType())],
  ];
}

type Found = Pick<Slot, "path" | "type">;

const pathsTo = (field: Field): Found[] => field.args.flatMap(({ name, type }) => pathsIn(type, [name]));

function pathsIn(type: GraphQLInputType, path: readonly string[]): Found[] {
  const named = getNamedType(type);
  if (named.name === "ID" || named.name === "String") return [{ path, type: named.name }];
  if (!isInputObjectType(named)) return [];
  return Object.values(named.getFields()).flatMap((field) => pathsIn(field.type, [...path, field.name]));
}

function place(type: GraphQLInputType, path: readonly string[], text: string, samples: Samples): unknown {
  if (isNonNullType(type)) return place(type.ofType, path, text, samples);
  if (isListType(type)) return [place(type.ofType, path, text, samples)];
  if (!isInputObjectType(type)) return text;
  const fields = Object.values(type.getFields()).filter(
    (field) => field.name === path[0] || (!type.isOneOf && isRequiredInputField(field)),
  );
  return Object.fromEntries(
    fields.map((field) => [
      field.name,
      field.name === path[0]
        ? place(field.type, path.slice(1), text, samples)
        : sample(field.type, field.name, samples),
    ]),
  );
}

function sample(type: GraphQLInputType, name: string, samples: Samples): unknown {
  if (isNonNullType(type)) return sample(type.ofType, name, samples);
  if (isListType(type)) return [sample(type.ofType, name, samples)];
  if (isEnumType(type)) return type.getValues()[0].name;
  const known = samples[type.name] ?? samples[name];
  if (known) return known();
  if (isInputObjectType(type) && !type.isOneOf)
    return Object.fromEntries(
      Object.values(type.getFields())
        .filter(isRequiredInputField)
        .map((field) => [field.name, sample(field.type, field.name, samples)]),
    );
  if (type.toString() === "Int" || type.toString() === "Float") return 1;
  if (type.toString() === "Boolean") return false;
  throw new Error(`Say among the samples what "${name}" of the type ${type} may be.`);
}

/** What is certain to be the same whenever it is asked for: leaves of an object, and what the rest is. */
function selectionOf(type: GraphQLOutputType): string {
  const named = getNamedType(type);
  if (isLeafType(named)) return "";
  if (!isObjectType(named)) return "{ __typename }";
  const fields = Object.values(named.getFields()).filter((field) => !field.args.some(isRequiredArgument));
  const selections = fields.map((field) =>
    isLeafType(getNamedType(field.type)) ? field.name : `${field.name} ${selectionBelow(field)}`,
  );
  return `{ ${selections.join(" ")} }`;
}

/** Why a mutation did nothing is told in full. */
const selectionBelow = ({ name }: Field): string =>
  name === "userErrors" ? "{ code message path }" : "{ __typename }";
