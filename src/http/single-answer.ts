/**
 * One answer as a stream, for a library that lets go of streams when their reader leaves and of nothing else: then it
 * ends at once, and `onLeave` may give up the work, whose answer nobody waits for any more.
 */
export function singleAnswer<Answer>(
  work: () => Promise<Answer>,
  onLeave: () => void,
): AsyncIterableIterator<Answer, undefined> {
  const done = { done: true, value: undefined } as const;
  let leave = () => {};
  const left = new Promise<typeof done>((resolve) => {
    leave = () => resolve(done);
  });
  let asked = false;
  return {
    next: async () => {
      if (asked) return done;
      asked = true;
      return Promise.race([left, work().then((value) => ({ done: false, value }) as const)]);
    },
    return: async () => {
      leave();
      onLeave();
      return done;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
