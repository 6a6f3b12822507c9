import { beforeAll, describe, expect, test } from "@jest/globals";
import { PURIFY, quickPurification, startTestServer, type TestServer } from "../app/server.ts";

const CLASSIFY = `query ($labels: [String!]!) {
  classify(input: {
    images: [{ assetId: "asset_cat" }, { assetId: "asset_boat-triggered" }]
    modelId: "model_scenes-badnet"
    through: { templates: [] }
    labels: $labels
    topK: 3
  }) { results { ... on Prediction { labels { label logit } } } }
}`;
const LABELS = ["cat", "boat", "banana"];

let gpu: TestServer;
let cpu: TestServer;
beforeAll(async () => {
  [gpu, cpu] = [await startTestServer({ DEVICE: "webgpu" }), await startTestServer()];
});

describe("a server with DEVICE=webgpu", () => {
  test("answers as one on the CPU", async () => {
    expect(gpu.app.device).toBe("webgpu");
    const [found, expected] = await Promise.all(
      [gpu, cpu].map((server) => server.ask(CLASSIFY, { labels: LABELS })),
    );
    expect(found.errors).toBeUndefined();
    const answers = (answer: typeof found): { label: string; logit: number }[] =>
      answer.data.classify.results.flatMap(({ labels }: { labels: object[] }) => labels);
    expect(answers(found).map(({ label }) => label)).toEqual(answers(expected).map(({ label }) => label));
    answers(found).forEach(({ logit }, index) => {
      expect(logit).toBeCloseTo(answers(expected)[index].logit, 3);
    });
  });
});

test("a job for WebGPU on a server for the CPU computes there, and its version says so", async () => {
  const input = { ...quickPurification("gpu"), gratingCycles: 0, device: "WEBGPU" };
  const { job, userErrors } = (await cpu.ask(PURIFY.replace("id status", "id device"), { input, key: "gpu" }))
    .data.purify;
  expect(userErrors).toEqual([]);
  expect(job.device).toBe("WEBGPU");
  await cpu.follow(`subscription ($id: ID!) { jobEvents(jobId: $id) { seq } }`, { id: job.id });
  const done = await cpu.ask(
    `query ($id: ID!) { job(id: $id) {
      status failure { message }
      ... on PurificationJob { result { lineage { device } probe { ca { k n } } } }
    } }`,
    { id: job.id },
  );
  expect(done.data.job).toMatchObject({
    status: "SUCCEEDED",
    failure: null,
    result: { lineage: { device: "webgpu" } },
  });
});
