import { randomUUID } from "node:crypto";
import type { Store } from "./store.ts";

interface LeaseRecord {
  readonly holder: string;
  readonly until: string;
}

/**
 * What one server at a time may do, for as long as it says now and then that it still does: one that was killed at it
 * is forgotten when the time that it took it for is over.
 */
export class Lease {
  private readonly holder = randomUUID();
  private heldAt = new Date(0);

  constructor(
    private readonly store: Pick<Store, "get" | "commit">,
    private readonly key: string,
    private readonly milliseconds: number,
  ) {}

  /** Whether it was free, its time was over, or it is to be taken even from who has it. */
  async take(now: Date, { evenIfHeld = false } = {}): Promise<boolean> {
    const known = await this.store.get<LeaseRecord>(this.key);
    if (known && new Date(known.value.until) > now && !evenIfHeld) return false;
    return this.hold(now, known?.revision ?? 0);
  }

  /** Takes it for longer once a third of its time is over; whether it is still this server's. */
  async keep(now: Date): Promise<boolean> {
    if (now.getTime() - this.heldAt.getTime() < this.milliseconds / 3) return true;
    const known = await this.store.get<LeaseRecord>(this.key);
    return known?.value.holder === this.holder && this.hold(now, known.revision);
  }

  private async hold(now: Date, expected: number): Promise<boolean> {
    this.heldAt = now;
    const until = new Date(now.getTime() + this.milliseconds).toISOString();
    const value: LeaseRecord = { holder: this.holder, until };
    return this.store.commit([{ kind: "put", key: this.key, value, expected }]);
  }

  /** Leaves it alone when another has it by now. */
  async giveBack(): Promise<void> {
    const known = await this.store.get<LeaseRecord>(this.key);
    if (known?.value.holder !== this.holder) return;
    await this.store.commit([{ kind: "delete", key: this.key, expected: known.revision }]);
  }
}
