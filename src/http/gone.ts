import { setMaxListeners } from "node:events";
import { AppError } from "../errors.ts";

/** Of a signal for whoever works for a caller: every image of a call listens for it. */
export function goneController(): AbortController {
  const gone = new AbortController();
  setMaxListeners(0, gone.signal);
  return gone;
}

export const callerGone = (): AppError => new AppError("CANCELLED", "The caller has gone.");
