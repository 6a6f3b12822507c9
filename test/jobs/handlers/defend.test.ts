import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { encodeState } from "../../../src/engine/cbpt/state.ts";
import { openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { readSafetensors } from "../../../src/engine/clip/safetensors.ts";
import { openDefence } from "../../../src/engine/defences/index.ts";
import type { DefendResult } from "../../../src/jobs/handlers/defend.ts";
import { loadShots } from "../../../src/jobs/handlers/images.ts";
import { handlers } from "../../../src/jobs/handlers/index.ts";
import type { JobContext, JobReport } from "../../../src/jobs/job.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const ZOO = join(__dirname, "../../../zoo");
const SUSPECT = join(ZOO, "models/scenes-badnet");
const HUGGING_FACE = join(__dirname, "../../fixtures/clip/hugging-face");
const LABELS = ["apple", "banana", "house"];

const spec = {
  modelFolder: SUSPECT,
  defence: "ft",
  parameters: { epochs: 2, batchSize: 3, warmupSteps: 1 },
  labels: LABELS,
  templates: ["a photo of a {}.", "a {}."],
  shots: LABELS.flatMap((name, label) =>
    ["00", "01"].map((number) => ({ blob: join(ZOO, "shots", name, `${number}.png`), label })),
  ),
  seed: 3,
};

function contextWith(overrides: Partial<JobContext> = {}) {
  const reports: JobReport[] = [];
  const context: JobContext = {
    checkpoint: undefined,
    folder: temporaryFolder(),
    device: "cpu",
    threads: 1,
    signal: new AbortController().signal,
    save: async () => {},
    report: (report) => void reports.push(report),
    ...overrides,
  };
  return { context, reports };
}

const defend = async (given: object, context: JobContext) =>
  (await handlers.defend({ ...spec, ...given }, context)) as DefendResult;

/** What is saved after the first step of the run. */
async function firstState(): Promise<Uint8Array> {
  const checkpoint = await openCheckpoint(SUSPECT);
  const shots = await loadShots(checkpoint, spec.shots);
  const run = await openDefence("ft", { ...spec, checkpoint, shots, device: "cpu", threads: 1 });
  try {
    return encodeState(await run.step(await run.init()));
  } finally {
    await run.close();
  }
}

describe("a defence's job", () => {
  test("writes a checkpoint with its manifest, and again the same when it was killed", async () => {
    const { context, reports } = contextWith();
    const result = await defend({}, context);
    if (result.kind !== "weights") throw new Error("it makes weights");
    expect(reports).toHaveLength(4);
    expect(reports.at(-1)).toMatchObject({ kind: "step", phase: "fine-tune", progress: 1 });
    const digest = await (await openCheckpoint(join(context.folder, result.folder))).weightsDigest();
    const manifest = JSON.parse(await readFile(join(context.folder, result.folder, "manifest.json"), "utf8"));
    expect(manifest).toMatchObject({
      defence: "ft",
      parameters: { epochs: 2, normalisation: "frozen" },
      seed: 3,
      shots: 6,
      weights: `sha256:${digest}`,
    });
    // What the attacker's manifest said of the suspect is not the defender's to know, and not copied.
    expect(manifest).not.toHaveProperty("trigger");
    expect(manifest.losses).toHaveLength(2);

    const resumed = contextWith({ checkpoint: await firstState() });
    await defend({}, resumed.context);
    expect(resumed.reports).toHaveLength(3);
    const again = await openCheckpoint(join(resumed.context.folder, result.folder));
    expect(await again.weightsDigest()).toBe(digest);
  });

  test("leaves prompts as a purification does", async () => {
    const { context } = contextWith();
    const given = { defence: "coop", parameters: { epochs: 2, contextTokens: 2 } };
    const result = await defend(given, context);
    if (result.kind !== "prompts") throw new Error("it makes prompts");
    const { tensors } = await readSafetensors(join(context.folder, result.artifact));
    expect(tensors.get("contexts")?.shape).toEqual([3, 2, 128]);
    expect(tensors.get("text_features")?.shape).toEqual([3, 128]);
    expect(result.probe.ca.n).toBe(6);
    expect(result.undefendedProbe.ca.n).toBe(6);
    expect(result.config).toMatchObject({ contextTokens: 2, seed: 3, alpha: 0, gammaDummy: 0 });
  });

  test("stops between two steps when it is told to", async () => {
    const abort = new AbortController();
    const steps: JobReport[] = [];
    const report = (step: JobReport) => {
      steps.push(step);
      abort.abort();
    };
    await expect(defend({}, contextWith({ signal: abort.signal, report }).context)).rejects.toThrow();
    expect(steps).toHaveLength(1);
  });

  test.each([
    ["a defence that there is none of", { defence: "magic" }, 'There is no defence "magic"'],
    ["a parameter of another defence", { parameters: { threshold: 1 } }, "threshold is not known"],
    ["no defence", { defence: "none", parameters: {} }, "learns nothing that could be kept"],
    ["weights of another layout", { modelFolder: HUGGING_FACE }, "only open_clip's can be trained"],
  ])("refuses %s", async (_, change, message) => {
    await expect(defend(change, contextWith().context)).rejects.toThrow(message);
  });
});
