import { expect, test } from "@jest/globals";
import { LmdbStore } from "../../src/store/lmdb.ts";
import { VersionedStore } from "../../src/store/versioned-store.ts";
import { describeStores } from "../support/stores.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { describeStore } from "./contract.ts";

describeStore("VersionedStore", async () => new VersionedStore(await LmdbStore.open(temporaryFolder())));

describeStores((open) => {
  /** Two versions of the program over one store, told apart by nothing but the format that they write. */
  const versions = async () => {
    const store = await open();
    return { store, older: new VersionedStore(store, 1), newer: new VersionedStore(store, 2) };
  };

  test("the older version refuses a newer record, typed, and leaves it as it is", async () => {
    const { store, older, newer } = await versions();
    await newer.commit([{ kind: "put", key: "records/a", value: { name: "a" } }]);
    await expect(older.get("records/a")).rejects.toMatchObject({
      code: "NEWER_RECORD",
      details: { retryAfterMs: expect.any(Number) },
    });
    expect(await newer.get("records/a")).toMatchObject({ value: { name: "a" }, revision: 1 });
    await store.close();
  });

  test("the newer version reads what the older has written, and what was written before there were formats", async () => {
    const { store, older, newer } = await versions();
    await older.commit([{ kind: "put", key: "records/a", value: { name: "a" } }]);
    await store.commit([{ kind: "put", key: "records/b", value: { name: "b" } }]);
    for (const version of [older, newer])
      expect((await version.list("records/")).map(({ value }) => value)).toEqual([
        { name: "a" },
        { name: "b" },
      ]);
    await store.close();
  });

  test("lists leave newer records out, and a page is full all the same", async () => {
    const { store, older, newer } = await versions();
    for (const [index, writer] of [older, newer, newer, older, older].entries())
      await writer.commit([{ kind: "put", key: `records/${index}`, value: { index } }]);
    const keys = async (options: object) => (await older.list("records/", options)).map(({ key }) => key);
    expect(await keys({ limit: 2 })).toEqual(["records/0", "records/3"]);
    expect(await keys({ limit: 2, after: "records/0" })).toEqual(["records/3", "records/4"]);
    expect(await keys({ limit: 3, reverse: true })).toEqual(["records/4", "records/3", "records/0"]);
    expect(await newer.list("records/")).toHaveLength(5);
    await store.close();
  });

  test("a field that only the newer version knows outlives a change by the older", async () => {
    const { store, older } = await versions();
    await older.commit([{ kind: "put", key: "records/a", value: { name: "a", later: true } }]);
    const known = await older.get<{ name: string }>("records/a");
    await older.commit([{ kind: "put", key: "records/a", value: { ...known?.value, name: "b" } }]);
    expect((await older.get("records/a"))?.value).toEqual({ name: "b", later: true });
    await store.close();
  });
});
