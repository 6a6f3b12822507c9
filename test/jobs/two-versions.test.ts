import { expect, test } from "@jest/globals";
import { BullJobQueue } from "../../src/jobs/bull-queue.ts";
import { BullJobWorker } from "../../src/jobs/bull-worker.ts";
import { EmbeddedJobQueue } from "../../src/jobs/embedded-queue.ts";
import { LmdbStore } from "../../src/store/lmdb.ts";
import { RedisStore } from "../../src/store/redis.ts";
import { describeWithRedis } from "../support/redis-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { chainHash, follow, Log, optionsOf } from "./server.ts";

/** The two versions are one program, of which one believes that plans have come one version further. */
const [OLDER, NEWER] = [7, 8];
const SPEC = { steps: 5, every: 5 };

describeWithRedis((redis) => {
  test("an older worker gives back what a newer server has planned, and does its own version's work meanwhile", async () => {
    const folder = temporaryFolder();
    const shared = { url: redis().url, prefix: folder.replace(/\W/g, ""), patienceMilliseconds: 20_000 };
    const store = await RedisStore.open(shared);
    const options = (log: Log, planVersion: number) => ({
      ...optionsOf(folder, store, log),
      ...shared,
      planVersion,
    });
    const queues = [OLDER, NEWER].map((version) => new BullJobQueue(options(new Log(), version)));
    const [olderQueue, newerQueue] = queues;
    const log = new Log();
    const olderWorker = new BullJobWorker(options(log, OLDER));
    await Promise.all([...queues, olderWorker].map((part) => part.start()));

    const planned = await newerQueue.enqueue("acme", "purify", SPEC);
    const own = await olderQueue.enqueue("acme", "purify", SPEC);
    await follow(olderQueue, "acme", own.id);
    const refused = { job: planned.id, planVersion: NEWER };
    expect(log.lines).toContainEqual({ facts: refused, message: expect.stringContaining("newer version") });
    // It waits, for both servers, as if nobody had taken it.
    for (const queue of queues) {
      expect(await queue.get("acme", planned.id)).toMatchObject({ status: "QUEUED", attempts: 0 });
      // Now and then the worker looks at it again.
      await until(async () => (await queue.position(planned.id)) === 1);
      await until(async () => (await queue.counts()).waiting === 1);
    }

    const cancelled = await newerQueue.enqueue("acme", "purify", SPEC);
    await olderQueue.cancel("acme", cancelled.id);
    await until(async () => (await newerQueue.counts()).waiting <= 1);

    const newerWorker = new BullJobWorker(options(new Log(), NEWER));
    await newerWorker.start();
    await follow(olderQueue, "acme", planned.id);
    const done = await olderQueue.get("acme", planned.id);
    expect(done).toMatchObject({ status: "SUCCEEDED", attempts: 1, result: { hash: chainHash(5) } });
    await Promise.all([olderWorker, newerWorker, ...queues].map((part) => part.stop()));
    await store.close();
  });
});

test("an event of a kind that only a newer version tells is passed over", async () => {
  const folder = temporaryFolder();
  const store = await LmdbStore.open(folder);
  const queue = new EmbeddedJobQueue(optionsOf(folder, store, new Log()));
  await queue.start();
  const { id } = await queue.enqueue("acme", "purify", SPEC);
  const told = await follow(queue, "acme", id);
  const value = { at: new Date(0).toISOString(), kind: "forecast" };
  await store.commit([{ kind: "append", stream: `tenants/acme/jobs/${id}/events`, value }]);
  expect(await follow(queue, "acme", id)).toEqual(told);
  await queue.stop();
  await store.close();
});

test("a server that went back to an older version leaves newer jobs waiting until the newer is there again", async () => {
  const folder = temporaryFolder();
  const store = await LmdbStore.open(folder);
  const open = async (planVersion: number, concurrency = 1) => {
    const queue = new EmbeddedJobQueue({ ...optionsOf(folder, store, new Log()), planVersion, concurrency });
    await queue.start();
    return queue;
  };
  const before = await open(NEWER, 0);
  const planned = await before.enqueue("acme", "purify", SPEC);
  await before.stop();

  const older = await open(OLDER);
  const own = await older.enqueue("acme", "purify", SPEC);
  await follow(older, "acme", own.id);
  expect(await older.get("acme", planned.id)).toMatchObject({ status: "QUEUED", attempts: 0 });
  await older.stop();

  const newer = await open(NEWER);
  await follow(newer, "acme", planned.id);
  expect(await newer.get("acme", planned.id)).toMatchObject({ status: "SUCCEEDED", attempts: 1 });
  await newer.stop();
  await store.close();
});

test("a job that a newer version has worked at is no longer an older one's", async () => {
  const folder = temporaryFolder();
  const store = await LmdbStore.open(folder);
  const open = async (planVersion: number, concurrency: number) => {
    const queue = new EmbeddedJobQueue({ ...optionsOf(folder, store, new Log()), planVersion, concurrency });
    await queue.start();
    return queue;
  };
  const before = await open(OLDER, 0);
  const { id } = await before.enqueue("acme", "purify", SPEC);
  expect(await before.get("acme", id)).toMatchObject({ planVersion: OLDER });
  await before.stop();

  const newer = await open(NEWER, 1);
  await follow(newer, "acme", id);
  expect(await newer.get("acme", id)).toMatchObject({ status: "SUCCEEDED", planVersion: NEWER });
  await newer.stop();
  await store.close();
});
