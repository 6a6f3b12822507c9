// Handlers that do nothing until they are stopped, for tests of what surrounds jobs. Plain JavaScript, because the
// job's process loads it directly.
import { setTimeout as sleep } from "node:timers/promises";

async function wait(_spec, { signal }) {
  for (;;) {
    signal.throwIfAborted();
    await sleep(50);
  }
}

/** One for every kind of job there is, or will be. */
export const handlers = new Proxy({}, { get: () => wait });
