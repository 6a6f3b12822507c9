import { join } from "node:path";
import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { FileBlobStore } from "./store/blobs.ts";
import { LmdbStore } from "./store/lmdb.ts";
import { RedisStore } from "./store/redis.ts";
import type { BlobStore, Store } from "./store/store.ts";

export interface Storage {
  readonly store: Store;
  readonly blobs: BlobStore;
  /** Where jobs have their folders. */
  readonly jobsFolder: string;
}

/**
 * Opens what lasts: in the data folder alone, or with the store in the Redis that others share.
 * @param patienceSeconds how long a call waits for a Redis that is away.
 */
export async function openStorage(config: Config, logger: Logger, patienceSeconds: number): Promise<Storage> {
  const { dataFolder, redis } = config;
  const store = redis
    ? await openRedis(redis, logger, patienceSeconds)
    : await LmdbStore.open(join(dataFolder, "store"));
  const blobs = await FileBlobStore.open(join(dataFolder, "blobs"), { shared: redis !== undefined });
  return { store, blobs, jobsFolder: join(dataFolder, "jobs") };
}

function openRedis(redis: NonNullable<Config["redis"]>, logger: Logger, patienceSeconds: number) {
  return RedisStore.open({
    ...redis,
    patienceMilliseconds: patienceSeconds * 1000,
    onWarning: (message) => logger.warn(message),
    onChange: ({ connected, reason }) => {
      if (connected) logger.info("Redis is there again");
      else logger.warn({ reason }, "the connection to Redis is lost; it is made again as soon as possible");
    },
  });
}
