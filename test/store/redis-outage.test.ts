import { expect, test } from "@jest/globals";
import { RedisStore } from "../../src/store/redis.ts";
import { CuttableLink } from "../support/cuttable-link.ts";
import { describeWithRedis } from "../support/redis-server.ts";

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const counted = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describeWithRedis((redis) => {
  let prefixes = 0;
  const open = (
    options: {
      url?: string;
      prefix?: string;
      patienceMilliseconds?: number;
      replyMilliseconds?: number;
    } = {},
  ) =>
    RedisStore.open({
      url: redis().url,
      prefix: `outage${++prefixes}`,
      patienceMilliseconds: 20_000,
      ...options,
    });
  const openThrough = async (options = {}) => {
    const link = await CuttableLink.to(redis().port);
    return { link, store: await open({ url: `redis://127.0.0.1:${link.port}`, ...options }) };
  };
  const increment = async (store: RedisStore) => {
    const entry = await store.get<number>("count");
    const value = (entry?.value ?? 0) + 1;
    return store.commit([
      { kind: "put", key: "count", value, expected: entry?.revision ?? 0 },
      { kind: "append", stream: "counted", value },
    ]);
  };

  test("Redis is killed again and again under a writer: no commit is lost and none happens twice", async () => {
    const store = await open();
    let acknowledged = 0;
    let stopped = false;
    const writing = (async () => {
      while (!stopped) if (await increment(store)) acknowledged++;
    })();
    for (const moment of [30, 75, 110]) {
      await sleep(moment);
      await redis().kill();
      await sleep(100);
      await redis().restart();
    }
    const before = acknowledged;
    while (acknowledged < before + 3) await sleep(10);
    stopped = true;
    await writing;
    expect((await store.get<number>("count"))?.value).toBe(acknowledged);
    expect((await store.read("counted", 0)).map(({ seq }) => seq)).toEqual(counted(acknowledged));
    expect((await store.read("counted", 0)).map(({ value }) => value)).toEqual(counted(acknowledged));
    await store.close();
  });

  test("a commit whose answer is lost on the way is made once, and known to have been made", async () => {
    const { link, store } = await openThrough();
    expect(await increment(store)).toBe(true);
    link.set("deaf");
    const answerLost = link.swallowed();
    const committing = store.commit([
      { kind: "put", key: "count", value: 2, expected: 1 },
      { kind: "append", stream: "counted", value: 2 },
    ]);
    await answerLost;
    // What was swallowed may have been an answer to the reader of appends: the commit is seen from elsewhere.
    const witness = await open({ prefix: `outage${prefixes}` });
    while ((await witness.get<number>("count"))?.value !== 2) await sleep(10);
    link.set("open");
    link.cut();
    expect(await committing).toBe(true);
    expect(await store.get("count")).toMatchObject({ value: 2, revision: 2 });
    expect(await store.read("counted", 0)).toHaveLength(2);
    await Promise.all([store.close(), witness.close()]);
    link.close();
  });

  test("a commit that may have been made when patience is over says so, one that was never sent does not", async () => {
    const { link, store } = await openThrough({ patienceMilliseconds: 300, replyMilliseconds: 200 });
    expect(await increment(store)).toBe(true);
    const commit = () => store.commit([{ kind: "put", key: "made", value: 1, expected: 0 }]);
    const details = (promise: Promise<unknown>) => promise.then(String, (error) => error.details);
    link.set("deaf");
    expect(await details(commit())).toEqual({ retryAfterMs: expect.any(Number), outcome: "unknown" });
    expect(await details(store.get("made"))).toEqual({ retryAfterMs: expect.any(Number) });
    const witness = await open({ prefix: `outage${prefixes}` });
    expect((await witness.get("made"))?.value).toBe(1);
    link.set("closed");
    link.cut();
    await sleep(100);
    expect(await details(commit())).toEqual({ retryAfterMs: expect.any(Number) });
    await Promise.all([store.close(), witness.close()]);
    link.close();
  });

  test("a connection that has died without a word is made anew", async () => {
    const { link, store } = await openThrough({ replyMilliseconds: 500 });
    expect(await increment(store)).toBe(true);
    link.set("silent");
    const reading = store.get<number>("count");
    await expect(store.check()).rejects.toMatchObject({ code: "OVERLOADED" });
    // Long enough for the old connection to be given up, and for a new one to get stuck in its handshake.
    await sleep(700);
    link.set("open");
    expect((await reading)?.value).toBe(1);
    await store.check();
    await store.close();
    link.close();
  });

  test("a watcher hears of what was appended while it was cut off", async () => {
    const { link, store } = await openThrough({ replyMilliseconds: 500 });
    const elsewhere = await open({ prefix: `outage${prefixes}` });
    const told = new Promise<void>((resolve) => store.watch("news", resolve));
    link.set("silent");
    link.cut();
    await elsewhere.commit([{ kind: "append", stream: "news", value: 1 }]);
    link.set("open");
    await told;
    expect(await store.read("news", 0)).toEqual([{ seq: 1, value: 1 }]);
    await Promise.all([store.close(), elsewhere.close()]);
    link.close();
  });

  test("while Redis is away the check fails, and commands fail with OVERLOADED once patience is over", async () => {
    const store = await open({ patienceMilliseconds: 300 });
    await store.check();
    await redis().kill();
    await expect(store.check()).rejects.toMatchObject({ code: "OVERLOADED" });
    await expect(increment(store)).rejects.toMatchObject({
      code: "OVERLOADED",
      details: { retryAfterMs: expect.any(Number) },
    });
    await redis().restart();
    while (
      !(await store.check().then(
        () => true,
        () => false,
      ))
    )
      await sleep(20);
    expect(await increment(store)).toBe(true);
    await store.close();
  });

  test("a start without Redis says where it was looked for, and no password", async () => {
    const opening = open({ url: "redis://user:secret@127.0.0.1:1/3", patienceMilliseconds: 200 });
    const error = await opening.catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: "INVALID_CONFIGURATION" });
    expect((error as Error).message).toContain("127.0.0.1:1/3");
    expect((error as Error).message).not.toContain("secret");
  });
});
