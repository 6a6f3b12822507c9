import type { Store, Write } from "../../store/store.ts";
import { dayOf, type OnRefused, quotaExceeded, readQuotas } from "./quota.ts";

interface Stored {
  readonly bytes: number;
}

/** What a tenant had stored at the end of a day on which it changed. */
const daysPrefix = (tenant: string): string => `usage/stored-days/${tenant}/`;

/**
 * How much a tenant stores: the images of its datasets, each once for a dataset, and the artifacts of its prompt
 * versions. It is counted in the very commits that add and remove them, so it is exact at any time.
 */
export class StoredBytes {
  private readonly key: string;

  constructor(
    private readonly store: Store,
    private readonly tenant: string,
    private readonly onRefused: OnRefused = () => {},
    private readonly now: () => Date = () => new Date(),
  ) {
    this.key = `usage/stored/${tenant}`;
  }

  async total(): Promise<number> {
    return (await this.store.get<Stored>(this.key))?.value.bytes ?? 0;
  }

  /**
   * What is written with a change of so many bytes, which fails when another change comes first. Fails with
   * QUOTA_EXCEEDED when the quota does not hold them, unless the change `mustFit` not.
   */
  async plan(change: number, { mustFit }: { readonly mustFit: boolean }): Promise<Write[]> {
    if (change === 0) return [];
    const now = this.now();
    const entry = await this.store.get<Stored>(this.key);
    const used = entry?.value.bytes ?? 0;
    const quota = mustFit && change > 0 ? (await readQuotas(this.store, this.tenant)).storedBytes : undefined;
    if (quota && used + change > quota.limit) {
      this.onRefused("storedBytes");
      throw quotaExceeded("storedBytes", quota, { used, asked: change, now });
    }
    const value: Stored = { bytes: Math.max(0, used + change) };
    return [
      { kind: "put", key: this.key, value, expected: entry?.revision ?? 0 },
      { kind: "put", key: daysPrefix(this.tenant) + dayOf(now), value },
    ];
  }
}

/** What a tenant had stored at the end of each day on which that changed, up to a day; in order. */
export async function readStoredDays(
  store: Store,
  tenant: string,
  to: string,
): Promise<readonly (readonly [day: string, bytes: number])[]> {
  const prefix = daysPrefix(tenant);
  const entries = await store.list<Stored>(prefix);
  return entries
    .map(({ key, value }) => [key.slice(prefix.length), value.bytes] as const)
    .filter(([day]) => day <= to);
}
