import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Queue } from "bullmq";
import {
  BullJobQueue,
  bullClient,
  bullPrefix,
  carrierOf,
  type JobAddress,
  QUEUE_NAME,
} from "../../src/jobs/bull-queue.ts";
import { BullJobWorker, type BullJobWorkerOptions } from "../../src/jobs/bull-worker.ts";
import { JobRecords } from "../../src/jobs/records.ts";
import { RedisStore } from "../../src/store/redis.ts";
import { CuttableLink } from "../support/cuttable-link.ts";
import { describeWithRedis } from "../support/redis-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { chainHash, eventOf, follow, Gate, Log, optionsOf } from "./server.ts";

/** Long enough for a worker to keep its hold while the machine is busy, as each waits for it that takes a job over. */
const LOCK_MILLISECONDS = 3_000;
const SUPERSEDED = "another attempt at a job has taken the place of this one";

describeWithRedis((redis) => {
  let folder: string;
  let store: RedisStore;
  let queue: BullJobQueue;
  let closing: (() => Promise<void>)[];

  const shared = () => ({
    url: redis().url,
    prefix: folder.replace(/\W/g, ""),
    patienceMilliseconds: 20_000,
  });
  const startWorker = async (
    log = new Log(),
    { url = redis().url, ...others }: Partial<BullJobWorkerOptions> = {},
  ) => {
    const options = { ...shared(), url, lockMilliseconds: LOCK_MILLISECONDS, ...others };
    const worker = new BullJobWorker({ ...optionsOf(folder, store, log), ...options });
    await worker.start();
    closing.unshift(() => worker.stop());
    return { worker, log };
  };
  const startQueue = async () => {
    queue = new BullJobQueue({ ...optionsOf(folder, store, new Log()), ...shared() });
    await queue.start();
    const started = queue;
    closing.unshift(() => started.stop());
  };

  beforeEach(async () => {
    folder = temporaryFolder();
    closing = [];
    store = await RedisStore.open(shared());
    await startQueue();
  });
  afterEach(async () => {
    for (const close of closing) await close();
    await store.close();
  });

  test("a worker that is told to stop gives its job back, and another goes on with it", async () => {
    const { worker } = await startWorker();
    const gate = new Gate();
    const { id } = await queue.enqueue("acme", "purify", { steps: 60, every: 10, ...gate.at(45) });
    await eventOf(queue, "acme", id, (event) => event.kind === "checkpoint");
    await worker.stop();
    expect(await queue.get("acme", id)).toMatchObject({ status: "QUEUED", attempts: 1 });
    gate.open();
    await startWorker();
    await follow(queue, "acme", id);
    const job = await queue.get("acme", id);
    expect(job).toMatchObject({ status: "SUCCEEDED", attempts: 2, result: { hash: chainHash(60) } });
    expect((job.result as { resumedFrom: number }).resumedFrom).toBeGreaterThanOrEqual(10);
    // Stopping in good order is no loss.
    expect(job.losses ?? 0).toBe(0);
  });

  test("a job that names a device is left to a worker that has it", async () => {
    const log = new Log();
    await startWorker(log, { devices: ["cpu"] });
    const spec = { steps: 5, every: 5 };
    const { id } = await queue.enqueue("acme", "purify", { ...spec, device: "webgpu" });
    for (const device of ["cpu", undefined]) {
      const own = await queue.enqueue("acme", "purify", { ...spec, device });
      await follow(queue, "acme", own.id);
    }
    const left = { facts: { job: id, device: "webgpu" }, message: expect.stringContaining("another device") };
    await until(async () => log.lines.some(({ facts }) => (facts as { job?: string }).job === id));
    expect(log.lines).toContainEqual(left);
    expect(await queue.get("acme", id)).toMatchObject({ status: "QUEUED", attempts: 0 });
    await startWorker(new Log(), { devices: ["cpu", "webgpu"] });
    await follow(queue, "acme", id);
    expect(await queue.get("acme", id)).toMatchObject({ status: "SUCCEEDED", attempts: 1 });
  });

  test("a worker that lost its hold on a job does not disturb the one that took it over", async () => {
    const link = await CuttableLink.to(redis().port);
    const cutOff = await startWorker(new Log(), { url: `redis://127.0.0.1:${link.port}` });
    const gate = new Gate();
    const { id } = await queue.enqueue("acme", "purify", { steps: 100, every: 10, ...gate.at(45) });
    await eventOf(queue, "acme", id, (event) => event.kind === "checkpoint");
    // It still reaches the store, but the queue takes it for dead.
    link.set("closed");
    link.cut();
    const { log } = await startWorker();
    await log.nextProcess();
    gate.open();
    const { statuses, sequence } = await follow(queue, "acme", id);
    expect(statuses.filter((status) => status === "VALIDATING")).toHaveLength(2);
    expect(statuses.filter((status) => status === "SUCCEEDED")).toHaveLength(1);
    expect(sequence).toEqual(sequence.map((_, index) => index + 1));
    expect(await queue.get("acme", id)).toMatchObject({ attempts: 2, result: { hash: chainHash(100) } });
    expect(await store.get(`results/${id}`)).toMatchObject({ revision: 1 });
    await until(() => cutOff.log.lines.some(({ message }) => message === SUPERSEDED));
    link.set("open");
    await cutOff.worker.stop();
    link.close();
  });

  test("a worker that stops gives nothing back that another has taken over from it", async () => {
    const link = await CuttableLink.to(redis().port);
    const cutOff = await startWorker(new Log(), { url: `redis://127.0.0.1:${link.port}` });
    const gate = new Gate();
    const { id } = await queue.enqueue("acme", "purify", { steps: 60, every: 10, ...gate.at(45) });
    await eventOf(queue, "acme", id, (event) => event.kind === "checkpoint");
    link.set("closed");
    link.cut();
    const { log } = await startWorker();
    await log.nextProcess();
    await until(async () => (await queue.get("acme", id)).status === "RUNNING");
    const stopping = cutOff.worker.stop();
    await until(() => cutOff.log.lines.some(({ message }) => message === SUPERSEDED));
    link.set("open");
    await stopping;
    expect(await queue.get("acme", id)).toMatchObject({ status: "RUNNING", attempts: 2 });
    gate.open();
    await follow(queue, "acme", id);
    expect(await queue.get("acme", id)).toMatchObject({ status: "SUCCEEDED", attempts: 2 });
    link.close();
  });

  test("what carried a job before it was queued anew takes it from nobody", async () => {
    const { log } = await startWorker();
    const gate = new Gate();
    const { id } = await queue.enqueue("acme", "purify", { steps: 60, every: 10, ...gate.at(45) });
    await log.nextProcess();
    await startWorker();
    const { url, prefix } = shared();
    const client = bullClient(url);
    const bull = new Queue<JobAddress>(QUEUE_NAME, { connection: client, prefix: bullPrefix(prefix) });
    const address = { id, tenant: "acme" };
    const left = await bull.add("run", address, { jobId: carrierOf("older"), removeOnComplete: true });
    await until(async () => (await bull.getJob(left.id ?? "")) === undefined);
    gate.open();
    await follow(queue, "acme", id);
    const job = await queue.get("acme", id);
    expect(job).toMatchObject({ status: "SUCCEEDED", attempts: 1 });
    expect(job.losses ?? 0).toBe(0);
    await bull.close();
    client.destroy();
  });

  test("a job that was cancelled and lost its worker is ended by one that could not run it", async () => {
    const records = new JobRecords(store, () => new Date());
    const { id } = await records.create("acme", "purify", { steps: 5, every: 5, device: "webgpu" });
    await records.change("acme", id, () => ({ status: "VALIDATING", record: { attempts: 1 } }));
    expect(await queue.cancel("acme", id)).toMatchObject({ status: "CANCELLING" });
    await startWorker(new Log(), { devices: ["cpu"] });
    await startQueue();
    const { statuses } = await follow(queue, "acme", id);
    expect(statuses).toEqual(["QUEUED", "VALIDATING", "CANCELLING", "CANCELLED"]);
  });

  test("a job whose server died before it could be carried is found", async () => {
    const records = new JobRecords(store, () => new Date());
    const { id } = await records.create("acme", "purify", { steps: 5, every: 5 });
    await startWorker();
    await startQueue();
    await follow(queue, "acme", id);
    expect(await queue.get("acme", id)).toMatchObject({ status: "SUCCEEDED", attempts: 1 });
  });

  test("a job at work outlives a Redis that is killed and started again", async () => {
    await startWorker();
    const { id } = await queue.enqueue("acme", "purify", { steps: 100, every: 10, pause: 20 });
    await eventOf(queue, "acme", id, (event) => event.kind === "checkpoint");
    await redis().kill();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await redis().restart();
    const { sequence } = await follow(queue, "acme", id);
    expect(sequence).toEqual(sequence.map((_, index) => index + 1));
    expect(await queue.get("acme", id)).toMatchObject({
      status: "SUCCEEDED",
      result: { hash: chainHash(100) },
    });
    expect(await store.get(`results/${id}`)).toMatchObject({ revision: 1 });
  });
});
