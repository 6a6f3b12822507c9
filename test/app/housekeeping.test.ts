import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "@jest/globals";
import { S3Shelf } from "../../src/jobs/shelf.ts";
import { DEMO_TENANT } from "../../src/services/demo-tenant.ts";
import { globalId } from "../../src/services/global-id.ts";
import { S3Bucket } from "../../src/store/s3-bucket.ts";
import { follow, startServer } from "../jobs/server.ts";
import { withS3 } from "../support/s3-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { FOLLOW } from "./jobs.ts";
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

test("a server removes what jobs have told that ended long ago, and nothing else of them", async () => {
  const folder = temporaryFolder();
  const run = async (daysAgo: number) => {
    const now = () => new Date(Date.now() - daysAgo * 24 * HOUR_MILLISECONDS);
    const jobs = await startServer(folder, { now });
    const { id } = await jobs.queue.enqueue(DEMO_TENANT, "audit", { steps: 1, every: 1 });
    await follow(jobs.queue, DEMO_TENANT, id);
    await jobs.close();
    return id;
  };
  const [old, young] = [await run(32), await run(30)];
  const server = await startTestServer({ DATA_DIR: folder });
  const told = (id: string) => server.follow(FOLLOW, { id: globalId("job", id) });
  await until(async () => (await told(old)).length === 0);
  expect((await told(young)).length).toBeGreaterThan(3);
  await server.close();
  const after = await startServer(folder);
  for (const id of [old, young])
    expect(await after.queue.get(DEMO_TENANT, id)).toMatchObject({ status: "SUCCEEDED", progress: 1 });
  await after.close();
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
