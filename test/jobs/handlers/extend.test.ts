import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { arraysOf, readLearned } from "../../../src/engine/cbpt/prompt-tensors.ts";
import { encodeSafetensors, readSafetensors } from "../../../src/engine/clip/safetensors.ts";
import { handlers } from "../../../src/jobs/handlers/index.ts";
import type { PurifyResult } from "../../../src/jobs/handlers/purify.ts";
import type { JobContext } from "../../../src/jobs/job.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const ZOO = join(__dirname, "../../../zoo");
const LABELS = ["apple", "banana", "house", "cat"];
/** As little as shows that everything is done. */
const QUICK = { radius: 2, innerSteps: 1, innerBatch: 1, gratingCycles: 0, epochs: 4 };

const specOf = (labels: readonly string[]) => ({
  modelFolder: join(ZOO, "models/scenes-badnet"),
  labels,
  templates: ["a {}."],
  shots: labels.flatMap((name, label) =>
    ["00", "01"].map((file) => ({ blob: join(ZOO, "shots", name, `${file}.png`), label })),
  ),
  config: QUICK,
});

function contextIn(folder: string, checkpoint?: Uint8Array) {
  const saved: Uint8Array[] = [];
  const context: JobContext = {
    checkpoint,
    folder,
    device: "cpu",
    threads: 1,
    signal: new AbortController().signal,
    save: async (bytes) => void saved.push(bytes.slice()),
    report: () => {},
  };
  return { context, saved };
}

describe("a job that adds a class", () => {
  test("killed after any epoch and started again, ends with the same bytes", async () => {
    const folder = temporaryFolder();
    const made = (await handlers.purify(
      specOf(LABELS.slice(0, -1)),
      contextIn(folder).context,
    )) as PurifyResult;
    const spec = { ...specOf(LABELS), base: join(folder, made.artifact) };
    const bytesOf = async (checkpoint?: Uint8Array) => {
      const own = temporaryFolder();
      const { context, saved } = contextIn(own, checkpoint);
      const { artifact, probe } = (await handlers.extend(spec, context)) as PurifyResult;
      return { file: readFileSync(join(own, artifact)), probe, saved };
    };
    const whole = await bytesOf();
    expect(whole.probe.ca.n).toBe(8);
    // Where the machine is slow, one more is due between two epochs.
    expect(whole.saved.length).toBeGreaterThanOrEqual(QUICK.epochs + 1);
    for (const checkpoint of [whole.saved[0], whole.saved[2]]) {
      const resumed = await bytesOf(checkpoint);
      expect(resumed.file.equals(whole.file)).toBe(true);
      expect(resumed.probe).toEqual(whole.probe);
    }
  });

  test("keeps the others' recovery prompts and who is suspected of them, and puts the new class's own prompt beside them", async () => {
    const folder = temporaryFolder();
    const made = (await handlers.purify(
      specOf(LABELS.slice(0, -1)),
      contextIn(folder).context,
    )) as PurifyResult;
    const shape = { classes: LABELS.length - 1, contextTokens: 4 };
    const learned = await readLearned(await readSafetensors(join(folder, made.artifact)), shape);
    const recovery = {
      contexts: learned.contexts.toReversed(),
      features: learned.features.toReversed(),
    };
    const base = join(folder, "base.safetensors");
    const suspected = Float32Array.of(0, 1, 0);
    writeFileSync(base, encodeSafetensors(arraysOf({ ...learned, recovery, suspected })));
    const own = temporaryFolder();
    const spec = { ...specOf(LABELS), base };
    const { artifact, config } = (await handlers.extend(spec, contextIn(own).context)) as PurifyResult;
    const extended = await readLearned(await readSafetensors(join(own, artifact)), {
      ...shape,
      classes: LABELS.length,
    });
    const { contexts, features } = extended.recovery!;
    const [oldContexts, oldFeatures] = [recovery.contexts.length, recovery.features.length];
    expect(contexts.slice(0, oldContexts)).toEqual(recovery.contexts);
    expect(features.slice(0, oldFeatures)).toEqual(recovery.features);
    expect(contexts.slice(oldContexts)).toEqual(extended.contexts.slice(oldContexts));
    expect(features.slice(oldFeatures)).toEqual(extended.features.slice(oldFeatures));
    expect(extended.suspected).toHaveLength(LABELS.length);
    expect(extended.suspected![1]).toBe(1);
    expect(config.recovery).toBe(0);
  });

  test("to prompts of other classes or another model is refused", async () => {
    const foreign = join(__dirname, "../../fixtures/clip/resnet/golden.safetensors");
    const { context } = contextIn(temporaryFolder());
    await expect(handlers.extend({ ...specOf(LABELS), base: foreign }, context)).rejects.toMatchObject({
      code: "INCOMPATIBLE_MODEL",
      message: expect.stringContaining("need [3,4,128]"),
    });
  });
});
