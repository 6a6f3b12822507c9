import { AppError, type ErrorCode } from "../errors.ts";
import type { UserError } from "../models/user-error.ts";

/** Failures of the request itself, which are GraphQL errors; all others are the caller's to put right, as data. */
const TRANSPORT: ReadonlySet<ErrorCode> = new Set([
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "COST_EXCEEDED",
  "THROTTLED",
  "OVERLOADED",
  "DEADLINE_EXCEEDED",
  "WORKER_LOST",
  "INTERNAL",
]);

/** A mutation's payload, or one with the reason why nothing was done. */
export async function payload<Fields extends object, Empty extends object = object>(
  perform: () => Promise<Fields>,
  otherwise?: Empty,
): Promise<(Fields | Empty) & { userErrors: UserError[] }> {
  try {
    return { ...(await perform()), userErrors: [] };
  } catch (error) {
    if (!(error instanceof AppError) || TRANSPORT.has(error.code)) throw error;
    const { code, message, details } = error;
    const path = Array.isArray(details.path) ? (details.path as string[]) : [];
    return { ...((otherwise ?? {}) as Empty), userErrors: [{ code, message, path }] };
  }
}
