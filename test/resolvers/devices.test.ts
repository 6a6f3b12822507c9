import { beforeAll, expect, test } from "@jest/globals";
import { probeDevice } from "../../src/engine/runtime/device.ts";
import { PURIFY, QUICK, quickPurification, startTestServer, type TestServer } from "../app/server.ts";

const AUDIT = `mutation ($input: AuditInput!) {
  audit(input: $input, idempotencyKey: "audit") { job { id device } userErrors { code message } }
}`;
const EVALUATE = `mutation ($device: Device) {
  evaluate(
    modelId: "model_scenes-badnet"
    datasetId: "dataset_scenes-shots"
    through: { templates: [] }
    device: $device
    idempotencyKey: "evaluate"
  ) { job { id device } userErrors { code message } }
}`;
const SEARCH = {
  modelId: "model_scenes-badnet",
  datasetId: "dataset_scenes-shots",
  ...QUICK,
  gratingCycles: 0,
};

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

test.each(["CUDA", "WEBGPU"] as const)(
  "a job for %s is refused before it waits, where there is none",
  async (device) => {
    const { works } = await probeDevice(device === "CUDA" ? "cuda" : "webgpu");
    if (works) return console.warn(`${device} works here, so its refusal cannot be tested.`);
    const input = { ...quickPurification("refused"), device };
    const answers = [
      (await server.ask(PURIFY, { input, key: "refused" })).data.purify,
      (await server.ask(PURIFY, { input, key: "refused", dryRun: true })).data.purify,
      (await server.ask(AUDIT, { input: { ...SEARCH, device } })).data.audit,
      (await server.ask(EVALUATE, { device })).data.evaluate,
    ];
    for (const { job, userErrors } of answers) {
      expect(job).toBeNull();
      expect(userErrors).toMatchObject([{ code: "GPU_UNAVAILABLE" }]);
      expect(userErrors[0].message).toMatch(/It needs .* Or choose "auto" or "cpu"\.$/);
    }
    expect((await server.ask(`{ jobs { id } }`)).data.jobs).toEqual([]);
  },
);

test("a job without a device computes on the server's, which it tells", async () => {
  const { data } = await server.ask(AUDIT, { input: SEARCH });
  expect(data.audit).toMatchObject({ job: { device: "CPU" }, userErrors: [] });
});

test("a job for the fastest device falls back to the CPU, with a line in the log for each GPU passed over", async () => {
  const input = { ...quickPurification("fastest"), gratingCycles: 0, device: "AUTO" };
  const { data } = await server.ask(PURIFY.replace("id status", "id device"), { input, key: "fastest" });
  const { id, device } = data.purify.job;
  expect(["CPU", "CUDA", "WEBGPU"]).toContain(device);
  const passedOver = server.log.filter((line) => line.includes("Not using "));
  expect(passedOver).toHaveLength({ CPU: 2, WEBGPU: 1, CUDA: 0 }[device as "CPU" | "WEBGPU" | "CUDA"]);
  await server.follow(`subscription ($id: ID!) { jobEvents(jobId: $id) { seq } }`, { id });
  const made = await server.ask(
    `query ($id: ID!) { job(id: $id) { ... on PurificationJob { result { lineage { device } } } } }`,
    { id },
  );
  expect(made.data.job.result.lineage.device).toBe(device.toLowerCase());
});
