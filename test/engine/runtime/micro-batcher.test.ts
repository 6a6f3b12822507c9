import { describe, expect, test } from "@jest/globals";
import { MicroBatcher } from "../../../src/engine/runtime/micro-batcher.ts";

/** A device that computes each batch when it is told to, and remembers the batches. */
function device(maximumBatch = 4, capacity = 100) {
  const batches: number[][] = [];
  const finish: ((error?: Error) => void)[] = [];
  const batcher = new MicroBatcher<number, number>({
    maximumBatch,
    capacity,
    run: (batch) => {
      batches.push([...batch]);
      return new Promise((resolve, reject) => {
        finish.push((error) => (error ? reject(error) : resolve(batch.map((item) => item * 10))));
      });
    },
  });
  /** Lets the device take what waits. */
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { batcher, batches, finish, turn };
}

const values = (results: readonly { value: number }[]) => results.map(({ value }) => value);

describe("MicroBatcher", () => {
  test("requests that come together leave together, each with its own results in order", async () => {
    const { batcher, batches, finish, turn } = device();
    const requests = [batcher.submit([1, 2]), batcher.submit([3])];
    await turn();
    expect(batches).toEqual([[1, 2, 3]]);
    finish[0]();
    const [first, second] = await Promise.all(requests);
    expect([values(first), values(second)]).toEqual([[10, 20], [30]]);
    expect(first[0]).toMatchObject({ batchSize: 3 });
    expect(first[0].queueMilliseconds).toBeGreaterThanOrEqual(0);
    expect(first[0].runMilliseconds).toBeGreaterThanOrEqual(0);
  });

  test("what comes while the device is busy waits, and leaves when the batch is full or the device is free", async () => {
    const { batcher, batches, finish, turn } = device(2);
    const requests = [batcher.submit([1])];
    await turn();
    requests.push(batcher.submit([2]));
    await turn();
    expect(batches).toEqual([[1]]);
    requests.push(batcher.submit([3, 4, 5]), batcher.submit([6]));
    await turn();
    // The full one lies ready; one more would only wait there.
    expect(batches).toEqual([[1], [2, 3]]);
    expect(batcher.waitingItems).toBe(5);
    finish[0]();
    await turn();
    expect(batches).toEqual([[1], [2, 3], [4, 5]]);
    finish[1]();
    await turn();
    expect(batches).toHaveLength(3);
    finish[2]();
    await turn();
    expect(batches).toEqual([[1], [2, 3], [4, 5], [6]]);
    finish[3]();
    expect((await Promise.all(requests)).map(values)).toEqual([[10], [20], [30, 40, 50], [60]]);
    expect(batcher.waitingItems).toBe(0);
  });

  test("a request that does not fit is refused as a whole, at once", async () => {
    const { batcher, batches, finish, turn } = device(2, 3);
    const admitted = batcher.submit([1, 2]);
    await expect(batcher.submit([3, 4])).rejects.toMatchObject({
      code: "OVERLOADED",
      details: { retryAfterMs: expect.any(Number) },
    });
    expect(() => batcher.assertRoom(2)).toThrow(/Send the request again later/);
    batcher.assertRoom(1);
    await turn();
    finish[0]();
    await admitted;
    expect(batches).toEqual([[1, 2]]);
  });

  test("past the time that waiting may take nothing more is admitted, however small", async () => {
    const finish: (() => void)[] = [];
    const batcher = new MicroBatcher<number, number>({
      maximumBatch: 1,
      capacity: 100,
      longestWaitMilliseconds: 50,
      run: (batch) => new Promise((resolve) => finish.push(() => resolve(batch))),
    });
    const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
    const turn = () => later(5);
    const tooLong = expect.objectContaining({
      code: "OVERLOADED",
      details: { retryAfterMs: expect.any(Number) },
    });
    const measured = batcher.submit([1]);
    await later(100);
    finish[0]();
    await measured;
    const running = batcher.submit([2]);
    await turn();
    // What is under way takes about 100 ms, of which hardly any are over.
    expect(() => batcher.assertRoom(1)).toThrow(tooLong);
    await later(100);
    // Now it is nearly done and nothing waits, so a request of any size may; what comes after it would wait.
    batcher.assertRoom(99);
    expect(() => batcher.assertRoom(99, 1)).toThrow(tooLong);
    const waiting = batcher.submit([3, 4]);
    expect(() => batcher.assertRoom(1)).toThrow(tooLong);
    for (const batch of [1, 2, 3]) {
      finish[batch]();
      await turn();
    }
    expect((await Promise.all([running, waiting])).map(values)).toEqual([[2], [3, 4]]);
  });

  test("batches grow no longer than they may take", async () => {
    const batches: number[] = [];
    const batcher = new MicroBatcher<number, number>({
      maximumBatch: 8,
      capacity: 100,
      longestBatchMilliseconds: 1,
      run: async (batch) => {
        batches.push(batch.length);
        await new Promise((resolve) => setTimeout(resolve, 5 * batch.length));
        return batch;
      },
    });
    await batcher.submit([1, 2, 3]);
    expect(batches).toEqual([1, 1, 1]);
  });

  test("a failed batch fails its own requests only", async () => {
    const { batcher, finish, turn } = device(1);
    const first = batcher.submit([1]);
    const second = batcher.submit([2]);
    await turn();
    finish[0](new Error("no power"));
    await expect(first).rejects.toThrow("no power");
    await turn();
    finish[1]();
    expect(values(await second)).toEqual([20]);
  });

  test("an aborted request leaves the queue; one under way is given up", async () => {
    const { batcher, batches, finish, turn } = device(3);
    const abort = new AbortController();
    const first = batcher.submit([1], abort.signal);
    await turn();
    const second = batcher.submit([2], abort.signal);
    const third = batcher.submit([3]);
    abort.abort(new Error("gone"));
    await expect(first).rejects.toThrow("gone");
    await expect(second).rejects.toThrow("gone");
    await expect(batcher.submit([4], abort.signal)).rejects.toThrow("gone");
    finish[0]();
    await turn();
    finish[1]();
    expect(values(await third)).toEqual([30]);
    expect(batches).toEqual([[1], [3]]);
  });

  test("closing computes what waits, then resolves, and refuses more", async () => {
    const { batcher, finish, turn } = device(1);
    const requests = [batcher.submit([1]), batcher.submit([2])];
    let closed = false;
    const closing = batcher.close().then(() => {
      closed = true;
    });
    await expect(batcher.submit([3])).rejects.toMatchObject({ code: "OVERLOADED" });
    await turn();
    finish[0]();
    await turn();
    expect(closed).toBe(false);
    finish[1]();
    expect((await Promise.all(requests)).map(values)).toEqual([[10], [20]]);
    await closing;
    await device().batcher.close();
  });

  test("an empty request is answered without the device", async () => {
    const { batcher, batches } = device();
    expect(await batcher.submit([])).toEqual([]);
    await batcher.close();
    expect(batches).toEqual([]);
  });
});
