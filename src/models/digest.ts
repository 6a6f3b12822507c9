import { GraphQLScalarType } from "graphql";

const PATTERN = /^sha256:[0-9a-f]{64}$/;

function check(value: unknown): string {
  if (typeof value === "string" && PATTERN.test(value)) return value;
  throw new TypeError(`A digest is "sha256:" and 64 lower-case hexadecimal digits.`);
}

export const Digest = new GraphQLScalarType<string, string>({
  name: "Digest",
  description: 'The SHA-256 of content, written "sha256:<hex>".',
  serialize: check,
  parseValue: check,
});
