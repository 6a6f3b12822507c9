import { AppError } from "../errors.ts";

/** Checks `first`, which is 1 to 100 everywhere. */
export function pageSize(first: number): number {
  if (Number.isInteger(first) && first >= 1 && first <= 100) return first;
  throw new AppError("BAD_USER_INPUT", `first must be a whole number from 1 to 100, not ${first}.`);
}
