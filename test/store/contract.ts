import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Store } from "../../src/store/store.ts";

/** What every store driver promises. `open` gives a driver over empty storage; the suite closes it. */
export function describeStore(name: string, open: () => Promise<Store>): void {
  describe(`${name} keeps the promises of a store`, () => {
    let store: Store;
    beforeAll(async () => {
      store = await open();
    });
    afterAll(() => store.close());
    describeEntries(() => store);
    describeListing(() => store);
    describeCommits(() => store);
    describeStreams(() => store);
  });
}

function describeEntries(store: () => Store): void {
  const put = (key: string, value: unknown, expected?: number) =>
    store().commit([{ kind: "put", key, value, expected }]);

  test("an unknown key is absent", async () => {
    expect(await store().get("entries/unknown")).toBeUndefined();
  });

  test.each([
    ["an object", { a: [1, 2.5, null, "ä€😀"], b: { c: true } }],
    ["a string", "text"],
    ["zero", 0],
    ["null", null],
    ["an array", []],
  ])("%s comes back as it was", async (label, value) => {
    await put(`entries/${label}`, value);
    expect(await store().get(`entries/${label}`)).toEqual({ key: `entries/${label}`, value, revision: 1 });
  });

  test("the revision counts the writes, and starts again after a delete", async () => {
    for (let revision = 1; revision <= 3; revision++) {
      await put("entries/counted", revision);
      expect((await store().get("entries/counted"))?.revision).toBe(revision);
    }
    await store().commit([{ kind: "delete", key: "entries/counted" }]);
    expect(await store().get("entries/counted")).toBeUndefined();
    await put("entries/counted", "again");
    expect((await store().get("entries/counted"))?.revision).toBe(1);
  });

  test("a value is copied: later changes on either side do not reach the store", async () => {
    const value = { list: [1] };
    const committing = put("entries/copied", value);
    value.list.push(2);
    await committing;
    const read = await store().get<{ list: number[] }>("entries/copied");
    const change = () => read?.value.list.push(3);
    if (Object.isFrozen(read?.value.list)) expect(change).toThrow(TypeError);
    else change();
    expect((await store().get("entries/copied"))?.value).toEqual({ list: [1] });
  });

  test.each(["", "with\0nul", "x".repeat(4000)])("a key that cannot be kept is refused (%#)", async (key) => {
    await expect(put(key, 1)).rejects.toMatchObject({ code: "BAD_USER_INPUT" });
  });
}

function describeListing(store: () => Store): void {
  const keys = async (prefix: string, options = {}) =>
    (await store().list(prefix, options)).map((entry) => entry.key);

  beforeAll(async () => {
    const names = ["list/a", "list/b/1", "list/b/10", "list/b/2", "list/b/ä", "list/b", "list/c", "lisu"];
    await store().commit(names.map((key) => ({ kind: "put", key, value: key.length })));
  });

  test("lists every key there is, page by page, without a prefix", async () => {
    const all = await keys("");
    const paged: string[] = [];
    for (let after: string | undefined; ; after = paged.at(-1)) {
      const page = await keys("", { after, limit: 3 });
      paged.push(...page);
      if (page.length < 3) break;
    }
    expect(paged).toEqual(all);
    expect(all).toEqual(expect.arrayContaining(["entries/zero", "list/a", "list/b/ä", "lisu"]));
  });

  test("lists exactly the keys with the prefix, in the order of their bytes", async () => {
    expect(await keys("list/b/")).toEqual(["list/b/1", "list/b/10", "list/b/2", "list/b/ä"]);
    expect(await keys("list/b")).toEqual(["list/b", "list/b/1", "list/b/10", "list/b/2", "list/b/ä"]);
    expect(await keys("list/none")).toEqual([]);
  });

  test("lists in reverse", async () => {
    expect(await keys("list/b", { reverse: true })).toEqual([
      "list/b/ä",
      "list/b/2",
      "list/b/10",
      "list/b/1",
      "list/b",
    ]);
  });

  test("pages by key in both directions, whether or not the cursor's key exists", async () => {
    expect(await keys("list/b/", { limit: 2 })).toEqual(["list/b/1", "list/b/10"]);
    expect(await keys("list/b/", { after: "list/b/10", limit: 1 })).toEqual(["list/b/2"]);
    expect(await keys("list/b/", { after: "list/b/11" })).toEqual(["list/b/2", "list/b/ä"]);
    expect(await keys("list/b/", { after: "list/b/2", reverse: true, limit: 1 })).toEqual(["list/b/10"]);
    expect(await keys("list/b/", { after: "list/b/19", reverse: true })).toEqual(["list/b/10", "list/b/1"]);
    expect(await keys("list/b/", { after: "list/b/ä" })).toEqual([]);
    expect(await keys("list/b/", { after: "list/b/1", reverse: true })).toEqual([]);
  });

  test("a cursor outside the prefix does not widen the answer", async () => {
    expect(await keys("list/b", { after: "list/a" })).toHaveLength(5);
    expect(await keys("list/b", { after: "list/c" })).toEqual([]);
    expect(await keys("list/b", { after: "list/c", reverse: true })).toHaveLength(5);
    expect(await keys("list/b", { after: "list/a", reverse: true })).toEqual([]);
  });

  test("streams are not listed", async () => {
    await store().commit([{ kind: "append", stream: "list/b/stream", value: 1 }]);
    expect(await keys("list/b/s")).toEqual([]);
  });
}

function describeCommits(store: () => Store): void {
  test("a wrong revision writes nothing at all", async () => {
    await store().commit([{ kind: "put", key: "commit/a", value: 1 }]);
    const refused = await store().commit([
      { kind: "put", key: "commit/b", value: 1 },
      { kind: "append", stream: "commit/stream", value: 1 },
      { kind: "delete", key: "commit/a" },
      { kind: "put", key: "commit/a", value: 2, expected: 7 },
    ]);
    expect(refused).toBe(false);
    expect(await store().get("commit/b")).toBeUndefined();
    expect(await store().read("commit/stream", 0)).toEqual([]);
    expect(await store().get("commit/a")).toMatchObject({ value: 1, revision: 1 });
  });

  test("zero expects absence; a delete can expect a revision too", async () => {
    const create = { kind: "put", key: "commit/created", value: 1, expected: 0 } as const;
    expect(await store().commit([create])).toBe(true);
    expect(await store().commit([create])).toBe(false);
    expect(await store().commit([{ kind: "delete", key: "commit/created", expected: 2 }])).toBe(false);
    expect(await store().commit([{ kind: "delete", key: "commit/created", expected: 1 }])).toBe(true);
  });

  test("of many rivals for one revision, exactly one wins", async () => {
    const rivals = Array.from({ length: 20 }, (_, value) =>
      store().commit([{ kind: "put", key: "commit/contested", value, expected: 0 }]),
    );
    const won = await Promise.all(rivals);
    expect(won.filter(Boolean)).toHaveLength(1);
    expect((await store().get("commit/contested"))?.value).toBe(won.indexOf(true));
  });

  test("counting with compare-and-set and retries loses no step", async () => {
    const increment = async (): Promise<void> => {
      const entry = await store().get<number>("commit/count");
      const value = (entry?.value ?? 0) + 1;
      const done = await store().commit([
        { kind: "put", key: "commit/count", value, expected: entry?.revision ?? 0 },
      ]);
      if (!done) await increment();
    };
    await Promise.all(Array.from({ length: 10 }, increment));
    expect((await store().get("commit/count"))?.value).toBe(10);
  });

  test("what cannot be written as JSON is refused and writes nothing", async () => {
    const writes = [
      { kind: "put", key: "commit/first", value: 1 },
      { kind: "put", key: "commit/second", value: 1n },
    ] as const;
    await expect(store().commit(writes)).rejects.toThrow();
    expect(await store().get("commit/first")).toBeUndefined();
  });
}

function describeStreams(store: () => Store): void {
  const append = (stream: string, ...values: unknown[]) =>
    store().commit(values.map((value) => ({ kind: "append", stream, value })));

  test("entries are numbered from 1 without gaps, also when appended at once", async () => {
    await append("streams/numbered", "a", "b");
    await Promise.all([append("streams/numbered", "c"), append("streams/numbered", "d")]);
    expect(await store().read("streams/numbered", 0)).toEqual([
      { seq: 1, value: "a" },
      { seq: 2, value: "b" },
      { seq: 3, value: "c" },
      { seq: 4, value: "d" },
    ]);
  });

  test("reads on from a sequence number, up to a limit", async () => {
    await append("streams/long", ...Array.from({ length: 300 }, (_, index) => index + 1));
    expect(await store().read("streams/long", 298)).toEqual([
      { seq: 299, value: 299 },
      { seq: 300, value: 300 },
    ]);
    expect((await store().read("streams/long", 255, 2)).map((entry) => entry.seq)).toEqual([256, 257]);
    expect(await store().read("streams/long", 300)).toEqual([]);
    expect(await store().read("streams/unknown", 0)).toEqual([]);
  });

  test("streams whose names begin alike are apart", async () => {
    await append("streams/x", 1);
    await append("streams/x/y", 2);
    await append("streams/x2", 3);
    expect(await store().read("streams/x", 0)).toEqual([{ seq: 1, value: 1 }]);
    expect(await store().read("streams/x/y", 0)).toEqual([{ seq: 1, value: 2 }]);
  });

  test("a dropped stream is gone, and begins anew; those beside it stay", async () => {
    await append("streams/dropped", ...Array.from({ length: 300 }, (_, index) => index + 1));
    await append("streams/dropped/not", "a");
    await append("streams/droppedNot", "b");
    const drop = { kind: "drop", stream: "streams/dropped" } as const;
    expect(await store().commit([drop])).toBe(true);
    expect(await store().read("streams/dropped", 0)).toEqual([]);
    expect(await store().read("streams/dropped", 300)).toEqual([]);
    expect(await store().read("streams/dropped/not", 0)).toEqual([{ seq: 1, value: "a" }]);
    expect(await store().read("streams/droppedNot", 0)).toEqual([{ seq: 1, value: "b" }]);
    await append("streams/dropped", "again");
    expect(await store().read("streams/dropped", 0)).toEqual([{ seq: 1, value: "again" }]);
    await store().commit([drop, { kind: "append", stream: "streams/dropped", value: "at once" }]);
    expect(await store().read("streams/dropped", 0)).toEqual([{ seq: 1, value: "at once" }]);
    expect(await store().commit([{ kind: "drop", stream: "streams/unknown" }])).toBe(true);
  });

  test("a stream is not dropped when a revision is not the expected one", async () => {
    await append("streams/held", "a");
    const refused = await store().commit([
      { kind: "drop", stream: "streams/held" },
      { kind: "put", key: "streams-held", value: 1, expected: 7 },
    ]);
    expect(refused).toBe(false);
    expect(await store().read("streams/held", 0)).toEqual([{ seq: 1, value: "a" }]);
  });

  test("a watcher is told after the append is visible, until it stops watching", async () => {
    const seen: number[] = [];
    let notified = () => {};
    const next = () => new Promise<void>((resolve) => (notified = resolve));
    const unwatch = store().watch("streams/watched", async () => {
      seen.push((await store().read("streams/watched", 0)).length);
      notified();
    });
    let told = next();
    await append("streams/watched", "first");
    await told;
    await append("streams/other", "elsewhere");
    told = next();
    await append("streams/watched", "second");
    await told;
    unwatch();
    await append("streams/watched", "third");
    expect(seen).toEqual([1, 2]);
  });
}
