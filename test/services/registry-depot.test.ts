import { cpSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { testCheckpoint } from "../../src/engine/clip/self-test-tasks.ts";
import { ModelRegistry, referenceOf } from "../../src/services/registry.ts";
import type { SelfTester } from "../../src/services/self-testing.ts";
import { FileBlobStore } from "../../src/store/blobs.ts";
import { LmdbStore } from "../../src/store/lmdb.ts";
import { S3BlobStore } from "../../src/store/s3-blobs.ts";
import { S3Bucket } from "../../src/store/s3-bucket.ts";
import { S3Depot } from "../../src/store/s3-depot.ts";
import { withS3 } from "../support/s3-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const FIXTURES = join(__dirname, "../fixtures/clip");
const s3 = withS3();

test("models of one machine are every machine's; a folder of the same name elsewhere replaces none by itself", async () => {
  const store = await LmdbStore.open(temporaryFolder());
  const tested: string[] = [];
  const tester: SelfTester = async (path, overrides) => {
    tested.push(path);
    const result = await testCheckpoint({ folder: path, overrides, device: "cpu", threads: 1 });
    return { ...result, device: "cpu", at: new Date(0).toISOString() };
  };
  const machine = async () => {
    const bucket = await S3Bucket.open(s3().options());
    const blobs = new S3BlobStore(bucket, await FileBlobStore.open(temporaryFolder()));
    const depot = new S3Depot(bucket, blobs, temporaryFolder());
    const folder = temporaryFolder();
    const put = (fixture: string) =>
      cpSync(join(FIXTURES, fixture), join(folder, "model"), { recursive: true });
    return { registry: new ModelRegistry(store, folder, tester, depot), depot, put };
  };

  const [first, same, empty, different] = await Promise.all([machine(), machine(), machine(), machine()]);
  first.put("vit");
  const [record] = (await first.registry.scan()).registered;
  same.put("vit");
  expect((await same.registry.scan()).registered).toEqual([record]);
  expect(tested).toHaveLength(1);

  expect(await empty.registry.scan()).toEqual({ registered: [], failed: [] });
  expect(await empty.registry.get("model")).toEqual(record);
  await expect(empty.registry.assertFree("model")).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  const place = await empty.depot.folder(referenceOf(record));
  expect((await testCheckpoint({ folder: place, device: "cpu", threads: 1 })).passed).toBe(true);

  different.put("resnet");
  const { registered, failed } = await different.registry.scan();
  expect(registered).toEqual([]);
  expect(failed).toMatchObject([{ name: "model", error: { code: "VALIDATION_FAILED" } }]);
  expect((await first.registry.get("model")).weights).toBe(record.weights);
  const replaced = await different.registry.register("model");
  expect((await first.registry.get("model")).weights).toBe(replaced.weights);
  expect(replaced.weights).not.toBe(record.weights);
  await store.close();
});
