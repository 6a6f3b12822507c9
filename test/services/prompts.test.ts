import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { defaultConfig } from "../../src/engine/cbpt/config.ts";
import { versionOf } from "../../src/services/bundles/new-version.ts";
import { MANIFEST_FORMAT, type Manifest } from "../../src/services/manifest.ts";
import { type Evidence, Prompts } from "../../src/services/prompts.ts";
import type { Store } from "../../src/store/store.ts";
import { describeStores } from "../support/stores.ts";

const config = defaultConfig("UNIVERSAL");
const model = { name: "m", weights: "w", preprocessing: "p" };
const lists = { labels: ["a", "b"], templates: ["{}"] };
const artifact = { digest: "sha256:0", bytes: 1 };

const manifest = (tensors: string): Manifest => ({
  format: MANIFEST_FORMAT,
  model,
  ...lists,
  contextTokens: 4,
  position: "END",
  source: { kind: "cbpt", config, shots: 2, dataset: "d" },
  tensors,
});
const evidence = (k: number): Evidence => ({
  probe: { ca: { k, n: 9 } },
  undefendedProbe: { ca: { k, n: 9 } },
  code: "1",
  device: "cpu",
});
const made = (tensors: string, k = 9) => ({
  ...versionOf({ manifest: manifest(tensors), evidence: evidence(k) }, artifact),
  jobId: "j",
});
const imported = (tensors: string) => ({
  ...versionOf({ manifest: manifest(tensors), evidence: evidence(1) }, artifact),
  importedBy: "somebody",
});

describeStores((openStore) => {
  let store: Store;
  beforeAll(async () => {
    store = await openStore();
  });
  afterAll(() => store.close());

  const open = async (tenant: string, ...sets: string[]) => {
    const prompts = new Prompts(store, tenant);
    for (const set of sets) await prompts.ensureSet(set);
    const keep = async (set: string, version: ReturnType<typeof versionOf>) => {
      const planned = await prompts.plan(set, version);
      expect(await store.commit(planned.writes)).toBe(true);
      return planned;
    };
    return { prompts, keep };
  };

  describe("a version", () => {
    test("has a number in each prompt set that has it, and is kept once", async () => {
      const { prompts, keep } = await open("acme", "one", "two");
      await keep("one", made("first"));
      await keep("one", made("second"));
      expect(await keep("two", made("second"))).toMatchObject({
        isNew: true,
        version: { promptSet: "one", number: 2 },
      });
      expect(await keep("two", made("second"))).toMatchObject({ isNew: false, writes: [] });
      const numbers = async (set: string) =>
        (await prompts.page(set, 10)).versions.map(({ number, id }) => [number, id]);
      expect(await numbers("one")).toEqual([
        [2, made("second").id],
        [1, made("first").id],
      ]);
      expect(await numbers("two")).toEqual([[1, made("second").id]]);
      const version = await prompts.getVersion(made("second").id);
      expect(await Promise.all(["one", "two", "three"].map((set) => prompts.has(set, version)))).toEqual([
        true,
        true,
        false,
      ]);
    });

    test("that was imported is measured anew when it is made here, and not the other way around", async () => {
      const { prompts, keep } = await open("acme", "imports");
      await keep("imports", imported("x"));
      expect((await prompts.getVersion(made("x").id)).importedBy).toBe("somebody");
      expect((await keep("imports", made("x"))).isNew).toBe(false);
      const mine = await prompts.getVersion(made("x").id);
      expect(mine).toMatchObject({ number: 1, jobId: "j", probe: { ca: { k: 9 } } });
      expect(mine.importedBy).toBeUndefined();
      await keep("imports", imported("x"));
      expect(await prompts.getVersion(made("x").id)).toEqual(mine);
    });

    test("of format 1 is read as it would be written today", async () => {
      const { prompts } = await open("acme", "old");
      const rest = { ...evidence(9), artifact, jobId: "j", createdAt: "then" };
      const first = {
        format: "antidote-prompts-1",
        promptSet: "old",
        model,
        ...lists,
        shots: 2,
        dataset: "d",
        config,
        tensors: "t",
      };
      const value = { ...rest, id: "abc", number: 1, digest: "sha256:abc", manifest: first };
      await store.commit([{ kind: "put", key: "tenants/acme/versions/abc", value }]);
      const version = await prompts.getVersion("abc");
      expect(version).toMatchObject({
        promptSet: "old",
        digest: "sha256:abc",
        manifest: { ...lists, contextTokens: 4, position: "END", source: { kind: "cbpt", config, shots: 2 } },
      });
      expect(await prompts.has("old", version)).toBe(true);
    });
  });
});
