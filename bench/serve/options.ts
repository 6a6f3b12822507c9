import type { Device } from "../../src/engine/runtime/device.ts";

/** What the sections of the bench are told. */
export interface ServeOptions {
  /** That the server computes on, and what stands beside it; transformers.js has the CPU. */
  readonly device: Device;
  readonly threads: number;
  /** Of each measurement, after a warm-up. */
  readonly seconds: number;
  /** A folder for what is made, that goes away afterwards. */
  readonly folder: string;
}

/** Of what can be done: a load under which hardly anybody waits for somebody else. */
export const CALM_SHARE = 0.15;

export const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;
export const times = (one: number, other: number): string => `${(one / other).toFixed(2)} ×`;
export const ms = (milliseconds: number): string =>
  Number.isNaN(milliseconds) ? "–" : milliseconds.toFixed(milliseconds < 10 ? 1 : 0);
