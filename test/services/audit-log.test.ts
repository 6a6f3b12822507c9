import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Caller } from "../../src/services/access.ts";
import { AuditLog } from "../../src/services/audit-log.ts";
import type { Store } from "../../src/store/store.ts";
import { describeStores } from "../support/stores.ts";

const DAY = 24 * 3600 * 1000;

describeStores((open) => {
  let store: Store;
  let log: AuditLog;
  let now: Date;

  beforeEach(async () => {
    store = await open();
    now = new Date("2026-11-26T12:00:00Z");
    log = new AuditLog(store, () => now);
  });
  afterEach(() => store.close());

  const callerOf = (tenant: string): Caller => ({
    tenant,
    keyId: "k1",
    keyName: "app",
    scopes: [],
    credential: "",
  });
  const begin = (operation: string, tenant = "acme", touched: string[] = []) =>
    log.begin(callerOf(tenant), { operation, touched, requestId: `r-${operation}` });
  const operations = async (first = 10, before?: string, filter = {}) =>
    (await log.page("acme", first, before, filter)).entries.map(({ operation }) => operation);

  test("an entry is there before the mutation, and is completed once with its outcome", async () => {
    const entry = await begin("purify", "acme", ["model_a"]);
    const [begun] = (await log.page("acme", 10, undefined, {})).entries;
    expect(begun).toEqual({
      id: entry.id,
      at: now.toISOString(),
      tenant: "acme",
      keyId: "k1",
      keyName: "app",
      operation: "purify",
      touched: ["model_a"],
      requestId: "r-purify",
    });
    await log.end(entry, "OK", ["job_1", "model_a"]);
    await log.end(entry, "INTERNAL", ["job_2"]);
    const [ended] = (await log.page("acme", 10, undefined, {})).entries;
    expect(ended).toEqual({ ...begun, touched: ["model_a", "job_1"], outcome: "OK" });
  });

  test("of many ids the first hundred and what was made are kept, and how many there were", async () => {
    const many = Array.from({ length: 100_000 }, (_, index) => `asset_${index}`);
    const entry = await begin("createDataset", "acme", many);
    await log.end(entry, "OK", ["asset_0", "dataset_a"]);
    const [{ touched, touchedCount }] = (await log.page("acme", 10, undefined, {})).entries;
    expect(touched).toEqual([...many.slice(0, 100), "dataset_a"]);
    expect(touchedCount).toBe(100_001);
  });

  test("pages lead from the newest to the oldest, whatever is written meanwhile", async () => {
    for (const operation of ["a", "b", "c", "d", "e"]) await begin(operation);
    const first = await log.page("acme", 2, undefined, {});
    await begin("f");
    expect(first.entries.map(({ operation }) => operation)).toEqual(["e", "d"]);
    const second = await log.page("acme", 2, first.next, {});
    expect(second.entries.map(({ operation }) => operation)).toEqual(["c", "b"]);
    const third = await log.page("acme", 2, second.next, {});
    expect(third).toEqual({ entries: [expect.objectContaining({ operation: "a" })] });
  });

  test("a tenant's log holds only its own", async () => {
    await begin("mine");
    await begin("theirs", "acme-2");
    await begin("theirs", "acm");
    expect(await operations()).toEqual(["mine"]);
    expect((await log.page("../acme", 10, undefined, {})).entries).toEqual([]);
  });

  test("a filter leaves what fits all of it", async () => {
    for (const [operation, outcome, touched] of [
      ["purify", "OK", "job_1"],
      ["purify", "NOT_FOUND", "job_2"],
      ["cancelJob", "OK", "job_1"],
    ] as const) {
      await log.end(await begin(operation), outcome, [touched]);
      now = new Date(now.getTime() + 1000);
    }
    expect(await operations(10, undefined, { operation: "purify" })).toHaveLength(2);
    expect(await operations(10, undefined, { touched: "job_1" })).toEqual(["cancelJob", "purify"]);
    expect(await operations(10, undefined, { touched: "job_1", operation: "purify" })).toEqual(["purify"]);
    expect(await operations(10, undefined, { outcome: "NOT_FOUND" })).toEqual(["purify"]);
    expect(await operations(10, undefined, { keyId: "k2" })).toEqual([]);
    expect(
      await operations(10, undefined, { from: "2026-11-26T12:00:01.000Z", to: "2026-11-26T12:00:02.000Z" }),
    ).toEqual(["purify"]);
  });

  test("a rare filter looks at no more than so many entries for a page, and goes on from there", async () => {
    await begin("rare");
    const filler = Array.from({ length: 5_100 }, (_, index) => {
      const id = `z${String(index).padStart(18, "0")}`;
      return {
        kind: "put",
        key: `audit-log/acme/${id}`,
        value: { id, at: "2026", operation: "other" },
      } as const;
    });
    await store.commit(filler);
    const first = await log.page("acme", 1, undefined, { operation: "rare" });
    expect(first.entries).toEqual([]);
    const second = await log.page("acme", 1, first.next, { operation: "rare" });
    expect(second).toEqual({ entries: [expect.objectContaining({ operation: "rare" })] });
  });

  test("what is older than the retention is pruned, in every tenant's log", async () => {
    for (const tenant of ["acme", "acme-2", "b"]) await begin("old", tenant);
    now = new Date(now.getTime() + 2 * DAY);
    for (const tenant of ["acme", "b"]) await begin("new", tenant);
    await log.prune(1);
    const kept = await store.list<{ tenant: string; operation: string }>("audit-log/");
    expect(kept.map(({ value: { tenant, operation } }) => [tenant, operation])).toEqual([
      ["acme", "new"],
      ["b", "new"],
    ]);
  });

  describe("a store that is away", () => {
    test("lets no mutation happen", async () => {
      const broken = new AuditLog({ ...store, commit: () => Promise.reject(new Error("away")) } as Store);
      await expect(
        broken.begin(callerOf("acme"), { operation: "purify", touched: [], requestId: "r" }),
      ).rejects.toThrow("away");
    });
  });
});
