import type { Store, StreamEntry } from "../../store/store.ts";
import { type OutcomeRecord, outcomesOf, type ScheduleRecord } from "./records.ts";

const READ_AT_ONCE = 1_000;

/** At most so many of a schedule's newest outcomes, the newest last. A record without their count takes a look at all. */
export async function newestOutcomes(
  store: Store,
  { tenant, id, outcomes = 0 }: ScheduleRecord,
  most: number,
): Promise<StreamEntry<OutcomeRecord>[]> {
  let newest: StreamEntry<OutcomeRecord>[] = [];
  let after = Math.max(0, outcomes - most);
  for (;;) {
    const page = await store.read<OutcomeRecord>(outcomesOf(tenant, id), after, READ_AT_ONCE);
    newest = [...newest, ...page].slice(-most);
    if (page.length < READ_AT_ONCE) return newest;
    after = page[page.length - 1].seq;
  }
}
