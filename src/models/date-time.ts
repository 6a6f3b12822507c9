import { GraphQLScalarType } from "graphql";

/** Records keep times as ISO strings, so they pass through. */
export const DateTime = new GraphQLScalarType<string, string>({
  name: "DateTime",
  description: "A moment in UTC, as in 2026-11-22T18:00:00.000Z.",
  serialize: (value) => (value instanceof Date ? value.toISOString() : String(value)),
  parseValue: (value) => {
    const time = typeof value === "string" ? new Date(value) : undefined;
    if (time === undefined || Number.isNaN(time.getTime()))
      throw new TypeError("A time is written in ISO 8601.");
    return time.toISOString();
  },
});
