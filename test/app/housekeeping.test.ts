import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "@jest/globals";
import { S3Shelf } from "../../src/jobs/shelf.ts";
import { DEMO_TENANT } from "../../src/services/demo-tenant.ts";
import { S3Bucket } from "../../src/store/s3-bucket.ts";
import { follow, startServer } from "../jobs/server.ts";
import { withS3 } from "../support/s3-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { startTestServer } from "./server.ts";

const s3 = withS3();
const HOUR_MILLISECONDS = 3_600_000;

test("a server gives up what a killed one had begun to upload, and nothing that may be under way", async () => {
  const { uploads } = s3();
  const begun = (hoursAgo: number, key = "test/files/model") =>
    uploads.begin(key, new Date(Date.now() - hoursAgo * HOUR_MILLISECONDS));
  const [left, underWay, foreign] = [begun(25), begun(23), begun(25, "another/files/model")];
  const server = await startTestServer(s3().variables);
  await until(() => !uploads.has(left));
  await server.close();
  expect([underWay, foreign].map((id) => uploads.has(id))).toEqual([true, true]);
});

test("a server clears what the one before it, killed right after a job's success, had not cleared yet", async () => {
  const folder = temporaryFolder();
  const before = await startServer(folder);
  const { id } = await before.queue.enqueue(DEMO_TENANT, "purify", { steps: 1, every: 1 });
  await follow(before.queue, DEMO_TENANT, id);
  await before.close();
  const shelf = new S3Shelf(await S3Bucket.open(s3().options()));
  const state = join(temporaryFolder(), "checkpoint");
  writeFileSync(state, "left");
  await shelf.keep(id, dirname(state));
  const server = await startTestServer({ DATA_DIR: folder, ...s3().variables });
  await until(async () => (await shelf.jobs()).length === 0);
  await server.close();
});
