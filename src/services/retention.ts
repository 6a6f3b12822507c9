import type { Store } from "../store/store.ts";

const AT_ONCE = 500;

/**
 * Removes the old entries of logs, which lie under `<prefix><log>/<id>` with ids of letters and digits that sort by
 * time; each log's entries are read from its oldest until one is not old.
 */
export async function pruneLogs<Value>(
  store: Store,
  prefix: string,
  isOld: (value: Value) => boolean,
): Promise<void> {
  let [entry] = await store.list<Value>(prefix, { limit: 1 });
  while (entry) {
    const log = entry.key.slice(0, entry.key.lastIndexOf("/") + 1);
    await pruneLog(store, log, isOld);
    // "~" comes after all letters and digits: the first entry of the next log.
    [entry] = await store.list<Value>(prefix, { after: `${log}~`, limit: 1 });
  }
}

async function pruneLog<Value>(store: Store, log: string, isOld: (value: Value) => boolean): Promise<void> {
  for (;;) {
    const entries = await store.list<Value>(log, { limit: AT_ONCE });
    const old = entries.filter(({ value }) => isOld(value));
    if (old.length > 0) await store.commit(old.map(({ key }) => ({ kind: "delete", key })));
    if (old.length < AT_ONCE) return;
  }
}
