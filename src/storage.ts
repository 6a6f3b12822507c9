import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { S3Shelf, SharedShelf, type Shelf } from "./jobs/shelf.ts";
import { FileBlobStore } from "./store/blobs.ts";
import { type Depot, SharedDepot } from "./store/depot.ts";
import { LmdbStore } from "./store/lmdb.ts";
import { RedisStore } from "./store/redis.ts";
import { S3BlobStore } from "./store/s3-blobs.ts";
import { S3Bucket } from "./store/s3-bucket.ts";
import { S3Depot } from "./store/s3-depot.ts";
import type { Store } from "./store/store.ts";
import type { SweptBlobs } from "./store/swept-blobs.ts";
import { VersionedStore } from "./store/versioned-store.ts";

export interface Storage extends Files {
  readonly store: Store;
  /** All records as they are kept, among them those of newer versions, which `store` refuses or leaves out. */
  readonly records: Pick<Store, "list">;
  /** Where jobs have their folders. */
  readonly jobsFolder: string;
}

type Chores = Readonly<Record<string, () => Promise<unknown>>>;

/** Images and tensors, checkpoints of models, and the saved states of jobs. */
interface Files {
  readonly blobs: SweptBlobs;
  readonly depot: Depot;
  readonly shelf: Shelf;
  /** What servers are to do for them now and then. */
  readonly chores: Chores;
  /** What every machine is to do for itself, workers' among them. */
  readonly ownChores: Chores;
}

/** No upload takes so long; whoever has begun one that is older was killed. */
const LONGEST_UPLOAD_MILLISECONDS = 24 * 3600 * 1000;
/** A younger file of the cache may be on its way into the bucket, and a younger folder be at work. */
const YOUNG_MILLISECONDS = LONGEST_UPLOAD_MILLISECONDS;
/** No attempt at a job saves nothing for so long. */
const ORPHAN_MILLISECONDS = 2 * LONGEST_UPLOAD_MILLISECONDS;
/** A model that was not asked for in so long is fetched again when it is. */
const UNUSED_MILLISECONDS = 14 * 24 * 3600 * 1000;

/**
 * Opens what lasts: records in the data folder alone, or in the Redis that others share; files in the data folder,
 * which others may share too, or in a bucket, for which the data folder is a cache.
 * @param patienceSeconds how long a call waits for a Redis or a bucket that is away.
 */
export async function openStorage(config: Config, logger: Logger, patienceSeconds: number): Promise<Storage> {
  const { dataFolder, redis } = config;
  const jobsFolder = join(dataFolder, "jobs");
  const files = await openFiles(config, jobsFolder, patienceSeconds);
  const store = redis
    ? await openRedis(redis, logger, patienceSeconds)
    : await LmdbStore.open(join(dataFolder, "store"), { onWait: (message) => logger.warn(message) });
  return { store: new VersionedStore(store), records: store, ...files, jobsFolder };
}

async function openFiles(
  { dataFolder, redis, s3 }: Config,
  jobsFolder: string,
  patienceSeconds: number,
): Promise<Files> {
  const folder = await FileBlobStore.open(join(dataFolder, "blobs"), {
    shared: redis !== undefined,
    cache: s3 !== undefined,
  });
  if (!s3) {
    const shelf = new SharedShelf(jobsFolder);
    return { blobs: folder, depot: new SharedDepot(), shelf, chores: {}, ownChores: {} };
  }
  const bucket = await S3Bucket.open({ ...s3, patienceMilliseconds: patienceSeconds * 1000 });
  const models = join(dataFolder, "models");
  await mkdir(models, { recursive: true });
  const blobs = new S3BlobStore(bucket, folder);
  const giveUp = () => bucket.abortUploads(ago(LONGEST_UPLOAD_MILLISECONDS));
  const clearCache = () => blobs.clearCache(ago(YOUNG_MILLISECONDS));
  const depot = new S3Depot(bucket, blobs, models);
  const clearModels = () =>
    depot.clearCache({ unused: ago(UNUSED_MILLISECONDS), killed: ago(YOUNG_MILLISECONDS) });
  const shelf = new S3Shelf(bucket);
  const clearJobs = () => shelf.clearFolders(jobsFolder, ago(ORPHAN_MILLISECONDS));
  return {
    blobs,
    depot,
    shelf,
    chores: { "giving up unfinished uploads": giveUp },
    ownChores: {
      "clearing the cache of blobs": clearCache,
      "clearing the cache of models": clearModels,
      "clearing the folders of jobs that were killed": clearJobs,
    },
  };
}

const ago = (milliseconds: number): Date => new Date(Date.now() - milliseconds);

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
