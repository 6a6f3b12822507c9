import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { WorkerPool } from "../../../src/engine/runtime/worker-pool.ts";

type FixtureTasks = {
  double(input: { numbers: Float32Array }): { numbers: Float32Array };
  lengthAfter(input: { bytes: Uint8Array; milliseconds: number }): Promise<number>;
  leave(input: object): void;
  unsendable(input: object): unknown;
  fail(input: { expected: boolean }): Promise<never>;
};

describe("WorkerPool", () => {
  let pool: WorkerPool<FixtureTasks>;
  beforeEach(() => {
    const module = pathToFileURL(join(__dirname, "fixture-tasks.mjs"));
    pool = new WorkerPool(module, { size: 2, capacity: 3 });
  });
  afterEach(() => pool.close());
  const work = (signal?: AbortSignal) =>
    pool.run("lengthAfter", { bytes: new Uint8Array(5), milliseconds: 100 }, { signal });

  test("performs tasks and gives their results", async () => {
    const numbers = new Float32Array([1, 2.5]);
    expect(await pool.run("double", { numbers })).toEqual({ numbers: new Float32Array([2, 5]) });
    expect(numbers).toEqual(new Float32Array([1, 2.5]));
  });

  test("takes over buffers that it is given", async () => {
    const bytes = new Uint8Array(1000);
    const input = { bytes, milliseconds: 0 };
    expect(await pool.run("lengthAfter", input, { transfer: [bytes.buffer] })).toBe(1000);
    expect(bytes.byteLength).toBe(0);
  });

  test("errors arrive typed", async () => {
    await expect(pool.run("fail", { expected: true })).rejects.toMatchObject({
      name: "AppError",
      code: "BAD_USER_INPUT",
      message: "Too dark.",
      details: { code: "TOO_DARK" },
    });
    await expect(pool.run("fail", { expected: false })).rejects.toMatchObject({ name: "RangeError" });
    await expect(pool.run("unsendable", {})).rejects.toThrow(/could not be cloned/);
  });

  test("a thread that dies fails its own task only, and is replaced", async () => {
    const [lost, fine] = await Promise.allSettled([pool.run("leave", {}), work()]);
    expect(lost).toMatchObject({ status: "rejected", reason: { code: "WORKER_LOST" } });
    expect(fine).toMatchObject({ status: "fulfilled", value: 5 });
    expect(await Promise.all([work(), work()])).toEqual([5, 5]);
  });

  test("what would wait too long is refused before it begins; what finds an idle thread is not", async () => {
    await pool.close();
    const module = pathToFileURL(join(__dirname, "fixture-tasks.mjs"));
    pool = new WorkerPool(module, { size: 1, capacity: 3, longestWaitMilliseconds: 0 });
    await work();
    await new Promise((resolve) => setImmediate(resolve));
    pool.assertRoom(4);
    const overloaded = expect.objectContaining({ code: "OVERLOADED" });
    expect(() => pool.assertRoom(5)).toThrow(overloaded);
    const tasks = [work(), work()];
    expect(pool.waitingTasks).toBe(1);
    expect(() => pool.assertRoom(1)).toThrow(overloaded);
    expect(await Promise.all(tasks)).toEqual([5, 5]);
  });

  test("past the bound the answer is OVERLOADED, at once; those admitted are all performed", async () => {
    const answers = await Promise.allSettled(Array.from({ length: 8 }, () => work()));
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
    expect(answers.at(-1)).toMatchObject({
      reason: { code: "OVERLOADED", details: { retryAfterMs: expect.any(Number) } },
    });
  });

  test("an aborted task leaves the queue", async () => {
    const abort = new AbortController();
    const others = [work(), work()];
    const aborted = work(abort.signal);
    abort.abort(new Error("not wanted"));
    await expect(aborted).rejects.toThrow("not wanted");
    await expect(work(abort.signal)).rejects.toThrow("not wanted");
    expect(await Promise.all(others)).toEqual([5, 5]);
  });

  test("closing finishes what it has and refuses more", async () => {
    const tasks = [work(), work(), work(), work()];
    const closing = pool.close();
    await expect(work()).rejects.toMatchObject({ code: "OVERLOADED" });
    expect(await Promise.all(tasks)).toEqual([5, 5, 5, 5]);
    await closing;
  });
});
