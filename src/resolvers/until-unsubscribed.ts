/**
 * A source for a subscription. A generator that waits for its next event cannot be ended from outside, so it is given
 * a signal, aborted when the subscriber leaves.
 */
export function untilUnsubscribed<Event>(
  source: (signal: AbortSignal) => AsyncGenerator<Event, void>,
): AsyncIterableIterator<Event, void> {
  const leaving = new AbortController();
  const events = source(leaving.signal);
  return {
    next: () => events.next(),
    return: () => {
      leaving.abort();
      return events.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
