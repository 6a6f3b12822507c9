import { expect, test } from "@jest/globals";
import { withS3 } from "../support/s3-server.ts";
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
