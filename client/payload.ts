import { AntidoteError } from "./errors.ts";
import type { UserError } from "./schema.ts";

/** What every mutation answers. */
export interface Payload {
  readonly userErrors: readonly UserError[];
}

/** The payload, if its mutation was done. Fails with the first of its user errors. */
export function done<Some extends Payload>(payload: Some): Some {
  if (payload.userErrors.length > 0) throw new AntidoteError(payload.userErrors[0]);
  return payload;
}
