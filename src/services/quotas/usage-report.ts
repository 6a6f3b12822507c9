import { AppError } from "../../errors.ts";
import type { Store } from "../../store/store.ts";
import { isName } from "../names.ts";
import { type Counts, NOTHING, readDays, sum } from "./daily-use.ts";
import { dayOf, endOfWindow, periodOf, type QuotaWindow } from "./quota.ts";
import { readStoredDays } from "./stored-bytes.ts";

/** What a tenant used in a calendar day or month, in UTC. */
export interface UsagePeriod extends Counts {
  readonly from: string;
  /** Not included. */
  readonly to: string;
  /** At the end of it. */
  readonly storedBytes: number;
}

const MOST_PERIODS = 400;

/**
 * Every period that overlaps the time from `from` up to `to`, also those without any use, oldest first. Fails with
 * BAD_USER_INPUT when there are none, or more than 400.
 */
export async function reportUsage(
  store: Store,
  tenant: string,
  { from, to, granularity }: { readonly from: Date; readonly to: Date; readonly granularity: QuotaWindow },
): Promise<UsagePeriod[]> {
  const starts = startsOf(from, to, granularity);
  if (!isName(tenant)) return [];
  const last = endOfWindow(granularity, starts[starts.length - 1]);
  const days: [string, string] = [dayOf(starts[0]), dayOf(new Date(last.getTime() - 1))];
  const [used, stored] = await Promise.all([
    readDays(store, tenant, days),
    readStoredDays(store, tenant, days[1]),
  ]);
  return starts.map((start) => {
    const period = periodOf(granularity, start);
    const counts = [...used].filter(([day]) => day.startsWith(period)).map(([, count]) => count);
    // Text that comes after all days of the period.
    const storedBytes = stored.findLast(([day]) => day <= `${period}~`)?.[1] ?? 0;
    return {
      from: start.toISOString(),
      to: endOfWindow(granularity, start).toISOString(),
      ...counts.reduce(sum, NOTHING),
      storedBytes,
    };
  });
}

function startsOf(from: Date, to: Date, granularity: QuotaWindow): Date[] {
  const starts: Date[] = [];
  const first = periodOf(granularity, from);
  let start = new Date(granularity === "day" ? first : `${first}-01`);
  while (start < to && starts.length <= MOST_PERIODS) {
    starts.push(start);
    start = endOfWindow(granularity, start);
  }
  if (starts.length >= 1 && starts.length <= MOST_PERIODS && from < to) return starts;
  throw new AppError(
    "BAD_USER_INPUT",
    `From ${from.toISOString()} to ${to.toISOString()} there are not 1 to ${MOST_PERIODS} ${granularity}s.`,
  );
}
