import { randomUUID } from "node:crypto";
import type { Store } from "./store.ts";

interface LeaseRecord {
  readonly holder: string;
  readonly until: string;
}

/** What one server at a time may do, until it gives it back or its time is over, as it is when the server is killed. */
export class Lease {
  private readonly holder = randomUUID();

  constructor(
    private readonly store: Pick<Store, "get" | "commit">,
    private readonly key: string,
    private readonly milliseconds: number,
  ) {}

  /** Whether it was free, or its time was over. */
  async take(now: Date): Promise<boolean> {
    const known = await this.store.get<LeaseRecord>(this.key);
    if (known && new Date(known.value.until) > now) return false;
    const until = new Date(now.getTime() + this.milliseconds).toISOString();
    const value: LeaseRecord = { holder: this.holder, until };
    return this.store.commit([{ kind: "put", key: this.key, value, expected: known?.revision ?? 0 }]);
  }

  /** Leaves it alone when another has it by now. */
  async giveBack(): Promise<void> {
    const known = await this.store.get<LeaseRecord>(this.key);
    if (known?.value.holder !== this.holder) return;
    await this.store.commit([{ kind: "delete", key: this.key, expected: known.revision }]);
  }
}
