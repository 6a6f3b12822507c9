import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { FileBlobStore } from "../../src/store/blobs.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const bytes = new Uint8Array([0, 1, 2, 255]);
const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

describe("FileBlobStore", () => {
  test("gives back what was put, under its digest, also after it is opened again", async () => {
    const folder = temporaryFolder();
    expect(await (await FileBlobStore.open(folder)).put(bytes)).toBe(digest);
    expect(new Uint8Array(await (await FileBlobStore.open(folder)).get(digest))).toEqual(bytes);
  });

  test("keeps equal bytes once, also when they are put at the same time", async () => {
    const blobs = await FileBlobStore.open(temporaryFolder());
    await Promise.all([blobs.put(bytes), blobs.put(bytes), blobs.put(bytes)]);
    expect(readdirSync(dirname(blobs.path(digest)))).toEqual([digest.slice("sha256:".length)]);
  });

  test("leaves nothing behind on the way in, and clears what a killed process left", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "incoming"));
    writeFileSync(join(folder, "incoming", "half"), "ha");
    const blobs = await FileBlobStore.open(folder);
    await blobs.put(bytes);
    expect(readdirSync(join(folder, "incoming"))).toEqual([]);
  });

  test("leaves what others are writing into a shared folder, and clears what is a day old", async () => {
    const incoming = join(temporaryFolder(), "incoming");
    mkdirSync(incoming);
    for (const name of ["fresh", "old"]) writeFileSync(join(incoming, name), "ha");
    utimesSync(join(incoming, "old"), 0, 0);
    await FileBlobStore.open(dirname(incoming), { shared: true });
    expect(readdirSync(incoming)).toEqual(["fresh"]);
  });

  test("keeps empty bytes and large ones", async () => {
    const blobs = await FileBlobStore.open(temporaryFolder());
    for (const length of [0, 3_000_000]) {
      const stored = await blobs.get(await blobs.put(new Uint8Array(length).fill(7)));
      expect(stored.length).toBe(length);
      expect(stored.every((byte) => byte === 7)).toBe(true);
    }
  });

  test.each([
    `sha256:${"0".repeat(64)}`,
    "sha256:../../../etc/passwd",
    `sha256:${"A".repeat(64)}`,
    `sha256:${"0".repeat(64)}/../x`,
    "",
  ])("a digest that names no blob is NOT_FOUND, whatever its form: %p", async (unknown) => {
    const blobs = await FileBlobStore.open(temporaryFolder());
    await expect(blobs.get(unknown)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("a path is given for well-formed digests only", async () => {
    const blobs = await FileBlobStore.open(temporaryFolder());
    expect(() => blobs.path("sha256:../../etc/passwd")).toThrow(/No blob/);
  });
});
