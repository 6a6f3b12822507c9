import { AppError } from "../errors.ts";

/** The same words for what does not exist and for what belongs to somebody else. */
export const notFound = (what: string, id: string): AppError =>
  new AppError("NOT_FOUND", `There is no ${what} "${id.slice(0, 120)}".`, { id: id.slice(0, 120) });
