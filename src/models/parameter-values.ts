import { GraphQLScalarType, Kind, valueFromASTUntyped } from "graphql";

function check(value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new TypeError("Parameters are an object of named values.");
}

export const ParameterValues = new GraphQLScalarType<Record<string, unknown>, unknown>({
  name: "ParameterValues",
  description:
    "An object of named numbers and words whose names depend on the attack or the defence; wrong names and ranges are all told at once.",
  serialize: (value) => value,
  parseValue: check,
  parseLiteral: (node, variables) => {
    if (node.kind !== Kind.OBJECT) throw new TypeError("Parameters are an object of named values.");
    return check({ ...(valueFromASTUntyped(node, variables) as object) });
  },
});
