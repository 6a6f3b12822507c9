import { AppError } from "../errors.ts";
import type { IdKind } from "../services/global-id.ts";
import { requireId } from "./identifiers.ts";

/** Checks `first`, which is 1 to 100 everywhere. */
export function pageSize(first: number): number {
  if (Number.isInteger(first) && first >= 1 && first <= 100) return first;
  throw new AppError("BAD_USER_INPUT", `first must be a whole number from 1 to 100, not ${first}.`);
}

/** Of lists that have no cursors of their own. */
export const AFTER = {
  nullable: true,
  description: "The id of the last one that is known: the list goes on after it.",
} as const;

/** The local name in `after`. Fails with NOT_FOUND for an id of something else. */
export const afterOf = (kind: IdKind, after: string | undefined | null): string | undefined =>
  after == null ? undefined : requireId(kind, after, "after");

/** Checks a cursor of a list whose entries are named by identifiers that sort by time. */
export function identifierCursor(cursor: string | undefined | null): string | undefined {
  if (cursor == null) return undefined;
  if (/^[0-9a-z]{1,40}$/.test(cursor)) return cursor;
  throw new AppError("BAD_USER_INPUT", "`after` is not a cursor of this list.");
}
