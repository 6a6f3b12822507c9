import { claimBlobs } from "./blob-claim.ts";
import { BlobMarker } from "./blob-marker.ts";
import type { DigestSet } from "./digest-set.ts";
import { Lease } from "./lease.ts";
import type { Entry, Store } from "./store.ts";
import type { StoredBlob, SweptBlobs } from "./swept-blobs.ts";

/** What a sweep has done. */
export interface Swept {
  readonly aside: Tally;
  readonly returned: Tally;
  readonly removed: Tally;
}

export interface Tally {
  readonly blobs: number;
  readonly bytes: number;
}

export type SweepStep = keyof Swept;

/** pino's loggers fit. */
interface SweepLogger {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

export interface BlobSweeperOptions {
  readonly store: Pick<Store, "get" | "commit">;
  /** All records, also those that a newer version of the program has written. */
  readonly records: Pick<Store, "list">;
  readonly blobs: SweptBlobs;
  /** Whether no other server has the store, so that one that was killed at a sweep is gone for good. */
  readonly isAlone?: boolean;
  /** How long a blob stays aside; 0 removes nothing. */
  readonly retentionMilliseconds: number;
  /** What of a record is looked through for digests; see `BlobMarker`. */
  readonly referencesOf: (entry: Entry<unknown>) => unknown;
  readonly logger: SweepLogger;
  readonly onSwept?: (swept: Swept) => void;
  readonly now?: () => Date;
}

const HOUR_MILLISECONDS = 3_600_000;
/** Whoever puts a blob has named it in a record by then. */
const GRACE_MILLISECONDS = 24 * HOUR_MILLISECONDS;
/** A sweep that takes longer is left to the next. */
const LONGEST_SWEEP_MILLISECONDS = 5 * HOUR_MILLISECONDS;
/** So long another server waits for one that does not say that it goes on: more than clocks differ. */
const LEASE_MILLISECONDS = 300_000;

/**
 * Removes blobs that no record needs any more. One that was found so twice in a row is set aside, where it is still
 * found; one that was aside for the retention time and is then found so twice again is removed. Between the two looks a
 * reference that has just moved from a record that was still to be read to one that had been read is seen.
 */
export class BlobSweeper {
  private readonly marker: BlobMarker;
  private readonly lease: Lease;
  private readonly now: () => Date;
  private stopped = false;

  constructor(private readonly options: BlobSweeperOptions) {
    this.marker = new BlobMarker(options);
    this.lease = new Lease(options.store, "blobs/sweep", LEASE_MILLISECONDS);
    this.now = options.now ?? (() => new Date());
  }

  /** Has a sweep that is under way fail soon. */
  stop(): void {
    this.stopped = true;
  }

  /** Resolves to what was done; undefined when it was not to be done, or not here. */
  async sweep(): Promise<Swept | undefined> {
    const began = this.now();
    if (!(await this.mayBegin(began))) return undefined;
    if (!(await this.lease.take(began, { evenIfHeld: this.options.isAlone }))) return undefined;
    try {
      const swept = await this.perform(began);
      this.tell(swept, began);
      return swept;
    } finally {
      await this.lease.giveBack();
    }
  }

  /**
   * Nothing is done to blobs that another store of records needs too. For the retention time nothing is done at all:
   * in a deployment, servers of before there were sweeps do not look for blobs that are aside.
   */
  private async mayBegin(began: Date): Promise<boolean> {
    const { store, blobs, retentionMilliseconds: retention, logger } = this.options;
    // Also where nothing is to be removed: whoever shares the blobs by mistake is to know.
    const { own, others } = await claimBlobs(store, blobs);
    if (retention === 0) return false;
    if (others.length > 0) {
      const facts = { own: own.id, others: others.map(({ id }) => id) };
      logger.warn(facts, "no blobs are removed, since another store of records says that they are its own");
    }
    return others.length === 0 && own.since < earlier(began, retention);
  }

  private async perform(began: Date): Promise<Swept> {
    const { blobs, retentionMilliseconds } = this.options;
    const [old, expired] = [GRACE_MILLISECONDS, retentionMilliseconds].map((age) => earlier(began, age));
    const swept = { aside: new Count(), returned: new Count(), removed: new Count() };
    const first = await this.mark(began);
    const aside = await this.returnNeeded(first, began, swept.returned);
    const overdue = aside.filter(({ since }) => since < expired);
    const unneeded = await this.unneeded(first, began, old);
    if (overdue.length + unneeded.length === 0) return swept;
    const second = await this.mark(began);
    const isNeeded = ({ digest }: StoredBlob) => first.has(digest) || second.has(digest);
    for (const blob of overdue) {
      await this.goOn(began);
      if (isNeeded(blob) && (await blobs.bringBack(blob.digest))) swept.returned.add(blob);
      // A store may have left a copy aside of what it has brought back: that goes as well.
      if ((await blobs.remove(blob.digest, expired)) && !isNeeded(blob)) swept.removed.add(blob);
    }
    for (const blob of unneeded) {
      await this.goOn(began);
      if (!isNeeded(blob) && (await blobs.setAside(blob.digest, old))) swept.aside.add(blob);
    }
    return swept;
  }

  private mark(began: Date): Promise<DigestSet> {
    return this.marker.mark(() => this.goOn(began));
  }

  /** Brings back what is needed again; the answer is all that is aside, and the copies that a store may leave there. */
  private async returnNeeded(live: DigestSet, began: Date, returned: Count): Promise<StoredBlob[]> {
    const { blobs } = this.options;
    const found: StoredBlob[] = [];
    for await (const blob of blobs.aside()) {
      await this.goOn(began);
      if (live.has(blob.digest) && (await blobs.bringBack(blob.digest))) returned.add(blob);
      found.push(blob);
    }
    return found;
  }

  /** What is stored since before that instant and not needed. */
  private async unneeded(live: DigestSet, began: Date, old: Date): Promise<StoredBlob[]> {
    const found: StoredBlob[] = [];
    for await (const blob of this.options.blobs.stored((digest) => live.has(digest))) {
      await this.goOn(began);
      if (blob.since < old) found.push(blob);
    }
    return found;
  }

  private tell(swept: Swept, began: Date): void {
    const { logger, onSwept } = this.options;
    onSwept?.(swept);
    if (Object.values(swept).every(({ blobs }: Tally) => blobs === 0)) return;
    const seconds = (this.now().getTime() - began.getTime()) / 1000;
    logger.info({ ...swept, seconds }, "blobs that no record names were swept");
  }

  private async goOn(began: Date): Promise<void> {
    if (this.stopped) throw new Error("The server stops.");
    const now = this.now();
    if (now > earlier(began, -LONGEST_SWEEP_MILLISECONDS)) throw new Error("The sweep takes too long.");
    if (!(await this.lease.keep(now))) throw new Error("Another server has begun to sweep.");
  }
}

class Count implements Tally {
  blobs = 0;
  bytes = 0;

  add({ bytes }: StoredBlob): void {
    this.blobs++;
    this.bytes += bytes;
  }
}

const earlier = (instant: Date, milliseconds: number): Date => new Date(instant.getTime() - milliseconds);
