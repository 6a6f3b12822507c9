import { describe } from "@jest/globals";
import { LmdbStore } from "../../src/store/lmdb.ts";
import { RedisStore } from "../../src/store/redis.ts";
import type { Store } from "../../src/store/store.ts";
import { describeWithRedis } from "./redis-server.ts";
import { temporaryFolder } from "./temporary-folder.ts";

let opened = 0;

/** The same tests over both stores; `open` gives an empty one, which the tests close. */
export function describeStores(body: (open: () => Promise<Store>) => void): void {
  describe("with the embedded store", () => body(() => LmdbStore.open(temporaryFolder())));
  describeWithRedis((redis) =>
    body(() => RedisStore.open({ url: redis().url, prefix: `t${opened++}`, patienceMilliseconds: 10_000 })),
  );
}
