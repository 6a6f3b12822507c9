import { registerEnumType } from "type-graphql";
import { ERROR_CODES } from "../errors.ts";

export const ErrorCode = Object.fromEntries(ERROR_CODES.map((code) => [code, code]));

registerEnumType(ErrorCode, { name: "ErrorCode", description: "What went wrong, for programs." });
