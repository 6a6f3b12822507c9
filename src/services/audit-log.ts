import type { ErrorCode } from "../errors.ts";
import { nextIdentifier } from "../jobs/identifier.ts";
import type { Store } from "../store/store.ts";
import type { Caller } from "./access.ts";
import { isName } from "./names.ts";
import { pruneLogs } from "./retention.ts";

/** A mutation that somebody asked for, as stored under `audit-log/<tenant>/<id>`; ids sort by time. */
export interface LoggedMutation {
  readonly id: string;
  readonly at: string;
  readonly tenant: string;
  readonly keyId: string;
  readonly keyName: string;
  readonly operation: string;
  /** Global ids that it named or made; of those that it named, the first 100. */
  readonly touched: readonly string[];
  /** How many there were, where not all are kept. */
  readonly touchedCount?: number;
  readonly requestId: string;
  /** "OK", or why nothing was done. Absent while it runs, and for good when its server was killed at it. */
  readonly outcome?: "OK" | ErrorCode;
}

export interface LogFilter {
  readonly operation?: string;
  readonly keyId?: string;
  /** A global id. */
  readonly touched?: string;
  readonly outcome?: "OK" | ErrorCode;
  /** ISO times: from the first, up to but not including the second. */
  readonly from?: string;
  readonly to?: string;
}

export interface LogPage {
  readonly entries: readonly LoggedMutation[];
  /** Where the next page begins; absent at the end of the log. */
  readonly next?: string;
}

const PREFIX = "audit-log/";
const READ_AT_ONCE = 500;
/** So many entries are looked at for one page; a rare filter then takes several. */
const MOST_READ = 5_000;
/** A caller may name as many ids as fit in a request, and an entry is kept for months. */
const MOST_TOUCHED = 100;

/**
 * Every mutation, by tenant. An entry is written before the mutation begins and completed with its outcome when it
 * ends, so that whatever happened is in the log, also when the server was killed right after it. Nothing of an entry
 * ever changes but that. Secrets, images and other input are not in it: only ids are.
 */
export class AuditLog {
  constructor(
    private readonly store: Store,
    private readonly now: () => Date = () => new Date(),
  ) {}

  /** Fails, so that the mutation does not happen, when it cannot be written down. */
  async begin(
    { tenant, keyId, keyName }: Caller,
    facts: Pick<LoggedMutation, "operation" | "touched" | "requestId">,
  ): Promise<LoggedMutation> {
    const now = this.now();
    const at = now.toISOString();
    const { touched, ...rest } = facts;
    const touchedCount = touched.length > MOST_TOUCHED ? touched.length : undefined;
    const some = { touched: touched.slice(0, MOST_TOUCHED), touchedCount };
    const entry: LoggedMutation = { id: nextIdentifier(now), at, tenant, keyId, keyName, ...rest, ...some };
    await this.store.commit([{ kind: "put", key: keyOf(entry), value: entry, expected: 0 }]);
    return entry;
  }

  async end(entry: LoggedMutation, outcome: "OK" | ErrorCode, made: readonly string[]): Promise<void> {
    const touched = [...new Set([...entry.touched, ...made])];
    const more = touched.length - entry.touched.length;
    const touchedCount = entry.touchedCount === undefined ? undefined : entry.touchedCount + more;
    const value: LoggedMutation = { ...entry, touched, touchedCount, outcome };
    await this.store.commit([{ kind: "put", key: keyOf(entry), value, expected: 1 }]);
  }

  /** Newest first, at most `first` of those that fit, older than the entry `before`. */
  async page(tenant: string, first: number, before: string | undefined, filter: LogFilter): Promise<LogPage> {
    if (!isName(tenant)) return { entries: [] };
    const prefix = `${PREFIX}${tenant}/`;
    const entries: LoggedMutation[] = [];
    let position = before;
    for (let read = 0; read < MOST_READ; read += READ_AT_ONCE) {
      const after = position === undefined ? undefined : prefix + position;
      const rows = await this.store.list<LoggedMutation>(prefix, {
        reverse: true,
        limit: READ_AT_ONCE,
        after,
      });
      for (const { value } of rows) {
        if (filter.from !== undefined && value.at < filter.from) return { entries };
        position = value.id;
        if (fits(value, filter)) entries.push(value);
        if (entries.length > first) return { entries: entries.slice(0, first), next: entries[first - 1].id };
      }
      if (rows.length < READ_AT_ONCE) return { entries };
    }
    return { entries, next: position };
  }

  /** Removes what is older than so many days. */
  async prune(days: number): Promise<void> {
    const oldest = new Date(this.now().getTime() - days * 24 * 3600 * 1000).toISOString();
    await pruneLogs<LoggedMutation>(this.store, PREFIX, ({ at }) => at < oldest);
  }
}

const keyOf = ({ tenant, id }: LoggedMutation): string => `${PREFIX}${tenant}/${id}`;

function fits(entry: LoggedMutation, { operation, keyId, touched, outcome, to }: LogFilter): boolean {
  return (
    (operation === undefined || entry.operation === operation) &&
    (keyId === undefined || entry.keyId === keyId) &&
    (touched === undefined || entry.touched.includes(touched)) &&
    (outcome === undefined || entry.outcome === outcome) &&
    (to === undefined || entry.at < to)
  );
}
