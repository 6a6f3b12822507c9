import type { ChaosOptions } from "./options.ts";

/** A line of the report. */
export interface Row {
  readonly what: string;
  readonly count: number;
  /** What should not have been, in sentences; empty if all held. */
  readonly violations: readonly string[];
  readonly note?: string;
}

/** Told how much of a part, in [0, 1], is done. */
export type Report = (share: number) => void;

export type Part = (options: ChaosOptions, report: Report) => Promise<Row[]>;
