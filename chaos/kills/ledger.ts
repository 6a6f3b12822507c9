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

export interface DatasetEntry extends Entry<{ readonly digest: string }> {
  /** Hex SHA-256 of its images, which no other dataset has. */
  readonly images: readonly string[];
  /** Whether it was asked to be deleted, and whether that was acknowledged. */
  deletion?: "asked" | "acknowledged";
}

/** All that a client has asked to be written, and what was answered. */
export class Ledger {
  readonly datasets: DatasetEntry[] = [];
  readonly keys: Entry<{ readonly secret: string }>[] = [];
  readonly moves: MoveEntry[] = [];
  readonly jobs: JobEntry[] = [];

  get unfinished(): readonly JobEntry[] {
    return this.jobs.filter(({ finished }) => !finished);
  }
}

export const acknowledged = (entries: readonly Entry<unknown>[]): number =>
  entries.filter((entry) => entry.acknowledged !== undefined).length;
