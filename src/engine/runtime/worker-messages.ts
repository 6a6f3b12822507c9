import type { CarriedError } from "./carried-error.ts";

/** What goes to a worker thread. */
export interface Call {
  readonly id: number;
  readonly payload: unknown;
}

/** What comes back for each call. */
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: CarriedError };

/** The buffers of all typed arrays in plain data that fill theirs, to be handed over instead of copied. */
export function buffersIn(value: unknown): ArrayBuffer[] {
  return [...new Set(collect(value))];
}

function collect(value: unknown): ArrayBuffer[] {
  if (ArrayBuffer.isView(value)) return fillsItsBuffer(value) ? [value.buffer as ArrayBuffer] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(collect);
}

/** Part of a larger buffer (Node pools small ones) is somebody else's too. */
function fillsItsBuffer({ buffer, byteLength }: ArrayBufferView): boolean {
  return byteLength === buffer.byteLength && !(buffer instanceof SharedArrayBuffer);
}
