/** A failure that may pass. */
export interface Transient extends Error {
  readonly transient: true;
  /** What the server asked to wait, in milliseconds. */
  readonly waitMilliseconds?: number;
}

const LONGEST_WAIT = 30_000;
/** A server that asks for more is not waited for so long at once. */
const LONGEST_ASKED = 300_000;

export const isTransient = (error: unknown): error is Transient =>
  error instanceof Error && (error as Partial<Transient>).transient === true;

/** Milliseconds before the next try, after so many: doubled each time, up to half a minute. */
export const backoff = (first: number, tries: number): number =>
  Math.min(first * 2 ** (tries - 1), LONGEST_WAIT);

/** The failure that 408, 429 and 5xx stand for, with the wait of their Retry-After; undefined for other answers. */
export function retryAfter({ status, headers }: Response): Transient | undefined {
  if (status !== 408 && status !== 429 && status < 500) return undefined;
  const reason = status === 429 ? "the hub asks for fewer requests" : `the hub answered ${status}`;
  const waitMilliseconds = parseRetryAfter(headers.get("retry-after"), Date.now());
  return Object.assign(new Error(reason), { transient: true as const, waitMilliseconds });
}

/** Seconds or an HTTP date to milliseconds from `now`, at most five minutes; undefined for anything else. */
export function parseRetryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  const milliseconds = /^\d+$/.test(value.trim()) ? 1000 * Number(value) : Date.parse(value) - now;
  return Number.isFinite(milliseconds) ? Math.min(Math.max(milliseconds, 0), LONGEST_ASKED) : undefined;
}
