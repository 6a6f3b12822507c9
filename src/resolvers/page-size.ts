import { AppError } from "../errors.ts";

/** Checks `first`, which is 1 to 100 everywhere. */
export function pageSize(first: number): number {
  if (Number.isInteger(first) && first >= 1 && first <= 100) return first;
  throw new AppError("BAD_USER_INPUT", `first must be a whole number from 1 to 100, not ${first}.`);
}

/** Checks a cursor of a list whose entries are named by identifiers that sort by time. */
export function identifierCursor(cursor: string | undefined | null): string | undefined {
  if (cursor == null) return undefined;
  if (/^[0-9a-z]{1,40}$/.test(cursor)) return cursor;
  throw new AppError("BAD_USER_INPUT", "`after` is not a cursor of this list.");
}
