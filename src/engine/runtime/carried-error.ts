import { AppError, type ErrorCode, type ErrorDetails } from "../../errors.ts";

/** An error as plain data, to cross from a worker thread or a child process. */
export interface CarriedError {
  /** Set for an AppError only. */
  readonly code?: ErrorCode;
  readonly name: string;
  readonly message: string;
  readonly details: ErrorDetails;
  /** Where it was thrown, with its causes; for the log only. */
  readonly stack: string;
}

/** An error, or whatever else was thrown, as plain data. Details that are not plain data are left out. */
export function packError(thrown: unknown): CarriedError {
  const error = thrown as Partial<AppError> | undefined;
  const message = error?.message ?? String(thrown);
  const stack = describe(thrown);
  if (!(thrown instanceof AppError)) return { name: error?.name ?? "Error", message, details: {}, stack };
  return { code: thrown.code, name: thrown.name, message, details: plain(thrown.details), stack };
}

/** The error again, typed as it was: an AppError keeps its code, message and details. */
export function unpackError(carried: CarriedError): Error {
  const cause = { message: carried.message, stack: carried.stack };
  if (carried.code) return new AppError(carried.code, carried.message, carried.details, { cause });
  const error = new Error(carried.message, { cause });
  error.name = carried.name;
  return error;
}

function describe(thrown: unknown): string {
  const error = thrown as Partial<Error> | undefined;
  const own = error?.stack ?? String(thrown);
  return error?.cause === undefined ? own : `${own}\nCaused by: ${describe(error.cause)}`;
}

function plain(details: ErrorDetails): ErrorDetails {
  try {
    return JSON.parse(JSON.stringify(details)) as ErrorDetails;
  } catch {
    return {};
  }
}
