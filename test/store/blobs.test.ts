import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { FileBlobStore } from "../../src/store/blobs.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { describeBlobs } from "./blob-contract.ts";
import { describeSweptBlobs } from "./swept-blobs-contract.ts";

const shared = temporaryFolder();
describeBlobs("FileBlobStore", () => FileBlobStore.open(shared, { shared: true }));
describeSweptBlobs("FileBlobStore", () => FileBlobStore.open(shared, { shared: true }));

const bytes = new Uint8Array([0, 1, 2, 255]);
const hex = createHash("sha256").update(bytes).digest("hex");

describe("FileBlobStore", () => {
  test("keeps equal bytes in one file, also when they are put at the same time", async () => {
    const blobs = await FileBlobStore.open(temporaryFolder());
    await Promise.all([blobs.put(bytes), blobs.put(bytes), blobs.put(bytes)]);
    expect(readdirSync(dirname(await blobs.file(`sha256:${hex}`)))).toEqual([hex]);
  });

  test("bytes that are put again are as young as new ones, and are not set aside", async () => {
    const blobs = await FileBlobStore.open(temporaryFolder());
    const path = await blobs.file(await blobs.put(bytes));
    utimesSync(path, 0, 0);
    const before = new Date(Date.now() - 1000);
    await blobs.put(bytes);
    expect(await blobs.setAside(`sha256:${hex}`, before)).toBe(false);
    utimesSync(path, 0, 0);
    expect(await blobs.setAside(`sha256:${hex}`, before)).toBe(true);
  });

  test("the time aside is counted from when a blob was set aside, and not from when it was put", async () => {
    const blobs = await FileBlobStore.open(temporaryFolder());
    utimesSync(await blobs.file(await blobs.put(bytes)), 0, 0);
    const before = new Date(Date.now() - 1000);
    await blobs.setAside(`sha256:${hex}`, before);
    expect(await blobs.remove(`sha256:${hex}`, before)).toBe(false);
    expect(new Uint8Array(await blobs.get(`sha256:${hex}`))).toEqual(bytes);
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

  test("what cannot be made leaves nothing behind", async () => {
    const folder = temporaryFolder();
    const blobs = await FileBlobStore.open(folder);
    const failing = blobs.fill(`sha256:${hex}`, async (draft) => {
      writeFileSync(draft, "ha");
      throw new Error("broken off");
    });
    await expect(failing).rejects.toThrow("broken off");
    expect(readdirSync(join(folder, "incoming"))).toEqual([]);
    await expect(blobs.get(`sha256:${hex}`)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
