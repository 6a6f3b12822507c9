/** The same events, and word of the end of their source, once, however it comes: by itself, by an error, or because its reader left. */
export function withEnd<Event>(
  source: AsyncIterable<Event>,
  onEnd: () => void,
): AsyncIterableIterator<Event, undefined> {
  const events = source[Symbol.asyncIterator]();
  let ended = false;
  const end = () => {
    if (!ended) onEnd();
    ended = true;
  };
  return {
    next: async () => {
      try {
        const event = await events.next();
        if (event.done) end();
        return event;
      } catch (error) {
        end();
        throw error;
      }
    },
    return: async () => {
      try {
        await events.return?.();
      } finally {
        end();
      }
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
