import {
  type GraphQLEnumType,
  type GraphQLInputObjectType,
  type GraphQLInterfaceType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  type GraphQLType,
  type GraphQLUnionType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredInputField,
  isUnionType,
} from "graphql";

const SCALARS: Readonly<Record<string, string>> = {
  BigInt: "number",
  Boolean: "boolean",
  DateTime: "string",
  Digest: "string",
  Float: "number",
  ID: "string",
  Int: "number",
  ParameterValues: "Readonly<Record<string, unknown>>",
  String: "string",
  Upload: "null",
};

/**
 * The types of a schema in TypeScript, but for its entry points. What may be absent from an input is optional; what
 * may be null in an answer is `| null`; members of an interface or union carry their `__typename`.
 */
export function printTypes(schema: GraphQLSchema): string {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  return Object.values(schema.getTypeMap())
    .filter((type) => !isIntrospectionType(type) && !roots.includes(type as GraphQLObjectType))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((type) => {
      const declaration = declare(type, schema);
      return declaration === undefined ? [] : [`${describe(type.description, "")}export ${declaration}\n`];
    })
    .join("\n");
}

function declare(type: GraphQLNamedType, schema: GraphQLSchema): string | undefined {
  if (isEnumType(type)) return declareEnum(type);
  if (isInputObjectType(type)) return type.isOneOf ? declareOneOf(type) : declareInput(type);
  if (isObjectType(type)) return declareObject(type, schema);
  if (isUnionType(type) || isInterfaceType(type)) return declareUnion(type, schema);
  return undefined;
}

const declareEnum = (type: GraphQLEnumType): string =>
  `type ${type.name} = ${type
    .getValues()
    .map(({ name }) => JSON.stringify(name))
    .sort()
    .join(" | ")};`;

const declareInput = (type: GraphQLInputObjectType): string =>
  `interface ${type.name} {\n${fieldsOf(type)
    .map((field) => member(field, isRequiredInputField(field) ? "" : "?", typeName(field.type, "")))
    .join("\n")}\n}`;

const declareOneOf = (type: GraphQLInputObjectType): string =>
  `type ${type.name} =${fieldsOf(type)
    .map((field) => `\n  | { readonly ${field.name}: ${typeName(field.type, "")} }`)
    .join("")};`;

function declareObject(type: GraphQLObjectType, schema: GraphQLSchema): string {
  const fields = fieldsOf(type).map((field) => member(field, "", typeName(field.type, " | null")));
  const tag = isAlternative(type, schema) ? [`  readonly __typename: ${JSON.stringify(type.name)};`] : [];
  return `interface ${type.name} {\n${[...tag, ...fields].join("\n")}\n}`;
}

const declareUnion = (type: GraphQLUnionType | GraphQLInterfaceType, schema: GraphQLSchema): string =>
  `type ${type.name} = ${schema
    .getPossibleTypes(type)
    .map(({ name }) => name)
    .sort()
    .join(" | ")};`;

/** Whether an answer has to say which of several types it is. */
const isAlternative = (type: GraphQLObjectType, schema: GraphQLSchema): boolean =>
  Object.values(schema.getTypeMap()).some(
    (other) =>
      (isUnionType(other) || isInterfaceType(other)) &&
      other.name !== "Node" &&
      schema.getPossibleTypes(other).includes(type),
  );

interface Field {
  readonly name: string;
  readonly description?: string | null;
}

const fieldsOf = <Fields extends Record<string, Field>>(type: { getFields(): Fields }): Fields[string][] =>
  Object.values(type.getFields()).sort((a, b) => (a.name < b.name ? -1 : 1)) as Fields[string][];

const member = ({ name, description }: Field, mark: string, type: string): string =>
  `${describe(description, "  ")}  readonly ${name}${mark}: ${type};`;

const describe = (description: string | null | undefined, indent: string): string =>
  description ? `${indent}/** ${description.replaceAll("\n", " ").replaceAll("*/", "* /")} */\n` : "";

/** @param orNull what is said of a value that may be null. */
function typeName(type: GraphQLType, orNull: "" | " | null"): string {
  if (isNonNullType(type)) return presentName(type.ofType, orNull);
  return presentName(type, orNull) + orNull;
}

function presentName(type: GraphQLType, orNull: "" | " | null"): string {
  if (!isListType(type)) return SCALARS[String(type)] ?? String(type);
  const item = typeName(type.ofType, orNull);
  return `readonly ${item.includes(" ") ? `(${item})` : item}[]`;
}
