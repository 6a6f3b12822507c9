import { beforeAll, describe, expect, test } from "@jest/globals";
import { Aliases } from "../../src/services/aliases.ts";
import { LmdbStore } from "../../src/store/lmdb.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let store: LmdbStore;

beforeAll(async () => {
  store = await LmdbStore.open(temporaryFolder());
});

const move = (alias: string, to: string, more = {}) => ({
  promptSet: "set",
  alias,
  to,
  by: "someone",
  ...more,
});

describe("an alias", () => {
  test("is made by its first move, and keeps its history, newest first", async () => {
    const aliases = new Aliases(store, "acme");
    await aliases.move(move("live", "a", { reason: "first" }));
    const record = await aliases.move(move("live", "b", { evidence: "e" }), "a");
    expect(await aliases.history(record, 10)).toMatchObject([
      { from: "a", to: "b", by: "someone", evidence: "e" },
      { to: "a", reason: "first" },
    ]);
    expect(await aliases.history(record, 1)).toMatchObject([{ to: "b" }]);
    expect(await aliases.history(record, 10, 1)).toMatchObject([{ to: "a" }]);
    expect(await aliases.history(record, 10, 2)).toEqual([]);
    // Rolling back is moving back.
    expect(await aliases.move(move("live", "a"), "b")).toMatchObject({ versionId: "a", moves: 3 });
  });

  test("does not move from where it is not", async () => {
    const aliases = new Aliases(store, "acme");
    await aliases.move(move("stale", "a"));
    const attempt = aliases.move(move("stale", "c"), "b");
    await expect(attempt).rejects.toMatchObject({
      code: "STALE_ALIAS",
      details: { expected: "b", current: "a" },
    });
    await expect(aliases.move(move("new", "c"), "b")).rejects.toMatchObject({ details: { current: null } });
    expect(await aliases.find("set", "new")).toBeUndefined();
  });

  test("moves once when two move it from the same place", async () => {
    const aliases = new Aliases(store, "acme");
    await aliases.move(move("raced", "a"));
    const attempts = ["b", "c", "d", "e"].map((to) => aliases.move(move("raced", to), "a"));
    const outcomes = await Promise.allSettled(attempts);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const record = await aliases.find("set", "raced");
    expect(record?.moves).toBe(2);
  });

  test("of one tenant is not another's", async () => {
    await new Aliases(store, "acme").move(move("mine", "a"));
    expect(await new Aliases(store, "acm").find("set", "mine")).toBeUndefined();
    expect(await new Aliases(store, "acme2").list("set")).toEqual([]);
  });
});
