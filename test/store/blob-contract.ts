import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import type { BlobStore } from "../../src/store/store.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const bytes = new Uint8Array([0, 1, 2, 255]);
const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** What every store of blobs promises. `open` gives the store of another machine each time, over the same storage. */
export function describeBlobs(name: string, open: () => Promise<BlobStore>): void {
  describe(`${name} keeps the promises of a blob store`, () => {
    let here: BlobStore;
    let there: BlobStore;
    beforeAll(async () => {
      [here, there] = [await open(), await open()];
    });

    test("what was put is found on another machine, in memory and as a file", async () => {
      expect(await here.put(bytes)).toBe(digest);
      expect(new Uint8Array(await there.get(digest))).toEqual(bytes);
      expect(new Uint8Array(readFileSync(await there.file(digest)))).toEqual(bytes);
    });

    test("a file is put by its bytes, and stays its owner's", async () => {
      const path = join(temporaryFolder(), "file");
      writeFileSync(path, "first");
      const stored = await here.putFile(path);
      expect(stored).toBe(await here.put(Buffer.from("first")));
      writeFileSync(path, "other");
      expect(Buffer.from(await there.get(stored)).toString()).toBe("first");
    });

    test("equal bytes have one digest, also when they are put and asked for at the same time", async () => {
      const many = Array.from({ length: 5 }, () => here.put(Buffer.from("at once")));
      const [first, ...others] = await Promise.all(many);
      expect(new Set(others)).toEqual(new Set([first]));
      const answers = await Promise.all(Array.from({ length: 5 }, () => there.get(first)));
      for (const answer of answers) expect(Buffer.from(answer).toString()).toBe("at once");
    });

    test.each([0, 3_000_000])("keeps %p bytes", async (length) => {
      const stored = await there.get(await here.put(new Uint8Array(length).fill(7)));
      expect(stored.length).toBe(length);
      expect(stored.every((byte) => byte === 7)).toBe(true);
    });

    test.each([
      `sha256:${"0".repeat(64)}`,
      "sha256:../../../etc/passwd",
      `sha256:${"A".repeat(64)}`,
      `sha256:${"0".repeat(64)}/../x`,
      "",
    ])("a digest that names no blob is NOT_FOUND, whatever its form: %p", async (unknown) => {
      await expect(here.get(unknown)).rejects.toMatchObject({ code: "NOT_FOUND" });
      await expect(here.file(unknown)).rejects.toMatchObject({ code: "NOT_FOUND" });
    });
  });
}
