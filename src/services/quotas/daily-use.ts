import type { Entry, Store } from "../../store/store.ts";
import { dayOf, type Flow } from "./quota.ts";

/** What a tenant used in a day, or what one process counted of it. */
export type Counts = Readonly<Record<Flow, number>>;

export const NOTHING: Counts = { requests: 0, images: 0, computeSeconds: 0 };

const DAYS = "usage/days/";
const AT_ONCE = 500;
const MERGED = "total";
/** Until then a process may still write what it counted. */
const OPEN_DAYS = 2;
const ONE_DAY = 24 * 3600 * 1000;

/**
 * Each process writes what it counted itself, under `usage/days/<tenant>/<day>/<process>`, so that processes never
 * wait for each other, a write that is repeated does no harm, and a tenant's use is the sum.
 */
export const partKey = (tenant: string, day: string, process: string): string =>
  `${DAYS}${tenant}/${day}/${process}`;

export const sum = (one: Counts, other: Counts): Counts => ({
  requests: one.requests + other.requests,
  images: one.images + other.images,
  computeSeconds: one.computeSeconds + other.computeSeconds,
});

/** By day, from a day (or month) to a day, those included; without the parts that `isLeftOut` names. */
export async function readDays(
  store: Store,
  tenant: string,
  [from, to]: readonly [from: string, to: string],
  isLeftOut: (day: string, process: string) => boolean = () => false,
): Promise<Map<string, Counts>> {
  const prefix = `${DAYS}${tenant}/`;
  const days = new Map<string, Counts>();
  for (const { key, value } of await store.list<Counts>(prefix, { after: prefix + from })) {
    const [day, process] = key.slice(prefix.length).split("/");
    if (day > to) break;
    if (!isLeftOut(day, process)) days.set(day, sum(days.get(day) ?? NOTHING, value));
  }
  return days;
}

/** Makes one part of the parts of each day that is over; several servers may do it at once. */
export async function mergeDays(store: Store, now: Date): Promise<void> {
  const closed = dayOf(new Date(now.getTime() - OPEN_DAYS * ONE_DAY));
  for (let after: string | undefined; ; ) {
    const entries: Entry<Counts>[] = await store.list<Counts>(DAYS, { after, limit: AT_ONCE });
    const groupOf = ({ key }: Entry<Counts>) => key.slice(0, key.lastIndexOf("/"));
    for (const group of new Set(entries.map(groupOf))) {
      const isClosed = group.slice(group.lastIndexOf("/") + 1) < closed;
      const parts = entries.filter((entry) => groupOf(entry) === group);
      if (isClosed) await mergeParts(store, group, parts);
    }
    if (entries.length < AT_ONCE) return;
    after = entries.at(-1)?.key;
  }
}

/** The commit fails, and the next round merges, when a part has changed or somebody else merges. */
async function mergeParts(store: Store, group: string, parts: readonly Entry<Counts>[]): Promise<void> {
  const key = `${group}/${MERGED}`;
  const others = parts.filter((part) => part.key !== key);
  if (others.length === 0) return;
  const merged = await store.get<Counts>(key);
  const value = others.reduce((total, part) => sum(total, part.value), merged?.value ?? NOTHING);
  await store.commit([
    { kind: "put", key, value, expected: merged?.revision ?? 0 },
    ...others.map((part) => ({ kind: "delete", key: part.key, expected: part.revision }) as const),
  ]);
}
