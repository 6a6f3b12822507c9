import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import type { Depot, FolderFiles } from "../../src/store/depot.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

export const CONTENTS = { "config.json": "{}", "onnx/model.onnx": "weights" };

/** A folder with those files, and the list of them. */
export function makeFolder(contents: Record<string, string> = CONTENTS): {
  folder: string;
  files: FolderFiles;
} {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "onnx"));
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(folder, name), text);
  return { folder, files: new Map(Object.keys(contents).map((name) => [name, join(folder, name)])) };
}

/** What every depot promises. `open` gives the depot of another machine each time, over the same storage. */
export function describeDepot(name: string, open: () => Promise<Depot>): void {
  describe(`${name} keeps the promises of a depot`, () => {
    test("a folder that was kept is found on another machine, with the same files", async () => {
      const { folder, files } = makeFolder();
      const here = await open();
      const reference = await here.keep(folder, files);
      expect(await here.referenceOf(folder, files)).toBe(reference);
      expect(await here.folder(reference)).toBe(folder);
      const there = await open();
      const found = await Promise.all([there.folder(reference), there.folder(reference)]);
      expect(new Set(found).size).toBe(1);
      for (const [file, text] of Object.entries(CONTENTS))
        expect(readFileSync(join(found[0], file), "utf8")).toBe(text);
    });

    test("what was never kept is NOT_FOUND", async () => {
      const depot = await open();
      for (const unknown of ["/nowhere/at/all", `sha256:${"0".repeat(64)}`])
        await expect(depot.folder(unknown)).rejects.toMatchObject({ code: "NOT_FOUND" });
    });
  });
}
