import { GraphQLScalarType } from "graphql";

export const BigIntScalar = new GraphQLScalarType<number, number>({
  name: "BigInt",
  description: "A whole number up to 2^53, beyond the 32 bits of Int.",
  serialize: (value) => {
    if (typeof value === "number" && Number.isSafeInteger(value)) return value;
    throw new TypeError("Not a whole number that JSON can carry exactly.");
  },
});
