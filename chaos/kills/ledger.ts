/** A write that the server may or may not have heard of; once acknowledged, it must never be gone. */
export interface Entry<Answer> {
  readonly name: string;
  acknowledged?: Answer;
}

export interface JobEntry extends Entry<{ readonly id: string }> {
  readonly kind: "audit" | "purification";
  readonly seed: number;
  finished: boolean;
}

export interface MoveEntry extends Entry<true> {
  readonly alias: string;
  readonly to: string;
}

/** All that a client has asked to be written, and what was answered. */
export class Ledger {
  readonly datasets: Entry<{ readonly digest: string }>[] = [];
  readonly keys: Entry<{ readonly secret: string }>[] = [];
  readonly moves: MoveEntry[] = [];
  readonly jobs: JobEntry[] = [];

  get unfinished(): readonly JobEntry[] {
    return this.jobs.filter(({ finished }) => !finished);
  }
}

export const acknowledged = (entries: readonly Entry<unknown>[]): number =>
  entries.filter((entry) => entry.acknowledged !== undefined).length;
