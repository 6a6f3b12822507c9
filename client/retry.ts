import { AntidoteError } from "./errors.ts";

/** How often, and how patiently, something is tried again. */
export interface RetryPolicy {
  /** Tries in all; 1 tries nothing again. */
  readonly attempts: number;
  /** Of the first wait, which doubles with every try. */
  readonly baseMs: number;
  /** No wait is longer; a server that asks for more gets no further try. */
  readonly longestMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { attempts: 6, baseMs: 250, longestMs: 30_000 };

/**
 * Milliseconds before the next try after `failures` of them, spread by `random` in [0, 1) so that many clients do not
 * come back at once; never less than the server asks for. Undefined when there is to be none.
 */
export function waitBefore(
  failures: number,
  { retryAfterMs }: AntidoteError,
  { attempts, baseMs, longestMs }: RetryPolicy,
  random: number = Math.random(),
): number | undefined {
  if (failures >= attempts) return undefined;
  const backoff = Math.min(longestMs, baseMs * 2 ** (failures - 1));
  if (retryAfterMs === undefined) return backoff * (0.5 + random / 2);
  return retryAfterMs > longestMs ? undefined : retryAfterMs + backoff * random;
}

/** Performs until it succeeds, fails for good, or has been tried often enough. */
export async function retrying<Value>(
  perform: () => Promise<Value>,
  policy: RetryPolicy,
  mayRepeat: (error: AntidoteError) => boolean,
  signal?: AbortSignal,
): Promise<Value> {
  for (let failures = 1; ; failures++) {
    try {
      return await perform();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof AntidoteError) || !mayRepeat(error)) throw error;
      const wait = waitBefore(failures, error, policy);
      if (wait === undefined) throw error;
      await pause(wait, signal);
    }
  }
}

/** Rejects with the signal's reason as soon as it is aborted. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", leave);
      resolve();
    }, milliseconds);
    if (signal?.aborted) leave();
    else signal?.addEventListener("abort", leave, { once: true });
  });
}
