import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { checkpointPath } from "../../src/jobs/folder.ts";
import { S3Shelf, SharedShelf, type Shelf } from "../../src/jobs/shelf.ts";
import { writeDurably } from "../../src/store/durable-file.ts";
import { S3Bucket } from "../../src/store/s3-bucket.ts";
import { withS3 } from "../support/s3-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const s3 = withS3();
const save = (folder: string, state: string) => writeDurably(checkpointPath(folder), Buffer.from(state));
const saved = (folder: string) => readFileSync(checkpointPath(folder), "utf8");

/** What every shelf promises. `another` makes the folder that the same job has on another machine. */
function describeShelf(name: string, open: () => Promise<Shelf>, another: (folder: string) => string): void {
  test(`${name}: whoever goes on with a job finds the state that was kept`, async () => {
    const shelf = await open();
    const here = temporaryFolder();
    await save(here, "first");
    await shelf.keep("job", here);
    await save(here, "second");
    const kept = await shelf.keep("job", here);
    const there = another(here);
    await shelf.restore("job", there, kept);
    expect(saved(there)).toBe("second");
    if (kept !== undefined) await shelf.discard("job", kept);
  });
}

describeShelf(
  "SharedShelf",
  async () => new SharedShelf(),
  (folder) => folder,
);
describeShelf(
  "S3Shelf",
  async () => new S3Shelf(await S3Bucket.open(s3().options())),
  () => temporaryFolder(),
);

describe("S3Shelf", () => {
  const open = async () => new S3Shelf(await S3Bucket.open(s3().options()));

  test("what was saved but not kept does not count", async () => {
    const [shelf, folder] = [await open(), temporaryFolder()];
    await save(folder, "first");
    const kept = await shelf.keep("a", folder);
    await save(folder, "not kept");
    await shelf.restore("a", folder, kept);
    expect(saved(folder)).toBe("first");
    await shelf.restore("a", folder, undefined);
    expect(existsSync(checkpointPath(folder))).toBe(false);
  });

  test("equal states of two jobs are two: discarding one leaves the other", async () => {
    const [shelf, folder] = [await open(), temporaryFolder()];
    await save(folder, "equal");
    const kept = await shelf.keep("b", folder);
    expect(await shelf.keep("c", folder)).toBe(kept);
    await shelf.discard("b", kept);
    await shelf.restore("c", temporaryFolder(), kept);
    await expect(shelf.restore("b", temporaryFolder(), kept)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
