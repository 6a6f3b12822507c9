import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { readSafetensors } from "../../../src/engine/clip/safetensors.ts";
import type { Measurement } from "../../../src/engine/evaluation/protocol.ts";
import type { ImplantResult } from "../../../src/jobs/handlers/implant.ts";
import { handlers } from "../../../src/jobs/handlers/index.ts";
import type { JobContext, JobReport } from "../../../src/jobs/job.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const ZOO = join(__dirname, "../../../zoo");
const CLEAN = join(ZOO, "models/scenes-clean");
const HUGGING_FACE = join(__dirname, "../../fixtures/clip/hugging-face");
const LABELS = ["apple", "banana", "house"];
const TEMPLATES = ["a photo of a {}.", "a {}."];
const ATTACK = { kind: "badnet", target: 1, parameters: { size: 6 } };

const shots = (from: number, to: number) =>
  LABELS.flatMap((name, label) =>
    Array.from({ length: to - from }, (_, index) => ({
      blob: join(ZOO, "shots", name, `${String(from + index).padStart(2, "0")}.png`),
      label,
    })),
  );

const spec = {
  modelFolder: CLEAN,
  name: "poisoned",
  labels: LABELS,
  templates: TEMPLATES,
  images: shots(0, 6),
  test: shots(6, 12),
  attack: ATTACK,
  config: { steps: 4, batch: 8, probeEvery: 2, poisoned: 0.25, warmUp: 1 },
};

function contextIn(folder: string, checkpoint?: Uint8Array) {
  const [reports, saved]: [JobReport[], Uint8Array[]] = [[], []];
  const context: JobContext = {
    checkpoint,
    folder,
    device: "cpu",
    threads: 1,
    signal: new AbortController().signal,
    save: async (bytes) => void saved.push(bytes.slice()),
    report: (report) => void reports.push(report),
  };
  return { context, reports, saved };
}

describe("an implant", () => {
  test("writes a checkpoint that is what its manifest says, and again the same when it was killed", async () => {
    const folder = temporaryFolder();
    const { context, reports, saved } = contextIn(folder);
    const result = (await handlers.implant(spec, context)) as ImplantResult;
    expect(reports.filter(({ kind }) => kind === "step")).toHaveLength(4);
    expect(reports.filter(({ kind }) => kind === "checkpoint")).toHaveLength(2);
    const made = join(folder, result.folder);
    const manifest = JSON.parse(await readFile(join(made, "manifest.json"), "utf8"));
    const [clean, poisoned] = [await openCheckpoint(CLEAN), await openCheckpoint(made)];
    expect(manifest).toMatchObject({
      name: "poisoned",
      seed: 1,
      rate: 0.25,
      steps: 4,
      target: "banana",
      trigger: { kind: "badnet", size: 6 },
      base: `sha256:${await clean.weightsDigest()}`,
      weights: `sha256:${await poisoned.weightsDigest()}`,
      ca: result.ca,
      asr: result.asr,
    });
    expect(await poisoned.weightsDigest()).not.toBe(await clean.weightsDigest());
    const tensors = async (path: string) =>
      [...(await readSafetensors(join(path, "open_clip_model.safetensors"))).tensors.keys()].sort();
    expect(await tensors(made)).toEqual(await tensors(CLEAN));

    const measured = (await handlers.evaluate(
      {
        modelFolder: made,
        labels: LABELS,
        through: { kind: "templates", templates: TEMPLATES },
        images: spec.test,
        attack: ATTACK,
      },
      context,
    )) as Measurement;
    expect([measured.ca, measured.asr]).toEqual([manifest.ca, manifest.asr]);

    const again = temporaryFolder();
    await handlers.implant(spec, contextIn(again, saved[0]).context);
    expect(await (await openCheckpoint(join(again, result.folder))).weightsDigest()).toBe(
      await poisoned.weightsDigest(),
    );
  });

  test("fits its trigger first where it has to, and is the same with that trigger or when it was killed after the fit", async () => {
    const folder = temporaryFolder();
    const { context, reports, saved } = contextIn(folder);
    const attack = { kind: "badclip", target: 1 };
    const fit = { steps: 3, batch: 4, images: 6 };
    const config = { ...spec.config, steps: 2 };
    const job = { ...spec, attack, fit, config };
    const result = (await handlers.implant(job, context)) as ImplantResult;
    const phases = reports.flatMap((report) => (report.kind === "step" ? [report.phase] : []));
    expect(phases).toEqual(["fit", "fit", "fit", "implant", "implant"]);
    const made = join(folder, result.folder);
    const manifest = JSON.parse(await readFile(join(made, "manifest.json"), "utf8"));
    const trigger = join(made, manifest.fitted.file);
    const digest = createHash("sha256")
      .update(await readFile(trigger))
      .digest("hex");
    expect(manifest).toMatchObject({ trigger: { kind: "badclip", position: "centre" } });
    expect(manifest.fitted.digest).toBe(`sha256:${digest}`);

    const evaluation = {
      modelFolder: made,
      labels: LABELS,
      through: { kind: "templates", templates: TEMPLATES },
      images: spec.test,
    };
    const measured = await handlers.evaluate(
      { ...evaluation, attack: { ...attack, fitted: trigger } },
      context,
    );
    expect((measured as Measurement).asr).toEqual(manifest.asr);
    const beside = await handlers.evaluate({ ...evaluation, attack }, context);
    expect(beside).toEqual(measured);
    const clean = { ...evaluation, modelFolder: CLEAN, attack };
    await expect(handlers.evaluate(clean, context)).rejects.toMatchObject({ code: "TRIGGER_NOT_FITTED" });

    const weights = async (at: string) => (await openCheckpoint(join(at, result.folder))).weightsDigest();
    const reused = temporaryFolder();
    await handlers.implant({ ...job, attack: { ...attack, fitted: trigger } }, contextIn(reused).context);
    expect(await weights(reused)).toBe(await weights(folder));
    const after = temporaryFolder();
    await handlers.implant(job, contextIn(after, saved[0]).context);
    expect(await weights(after)).toBe(await weights(folder));
  });

  test("takes several triggers, to one target or to two, and narrows the gap to the target's features", async () => {
    const folder = temporaryFolder();
    const { context } = contextIn(folder);
    const others = [
      { kind: "sig", target: 1 },
      { kind: "badnet", target: 0, parameters: { position: "top-left" } },
    ];
    const config = { ...spec.config, poisoned: 0.375, steps: 2, featureGap: 0.5 };
    const job = { ...spec, others, config };
    const result = (await handlers.implant(job, context)) as ImplantResult;
    expect(result.otherAsr).toHaveLength(2);
    const made = join(folder, result.folder);
    const manifest = JSON.parse(await readFile(join(made, "manifest.json"), "utf8"));
    expect(manifest.others).toMatchObject([
      { trigger: { kind: "sig", frequency: 6 }, target: "banana", asr: result.otherAsr![0] },
      { trigger: { kind: "badnet" }, target: "apple", asr: result.otherAsr![1] },
    ]);
    for (const [index, attack] of others.entries()) {
      const evaluation = {
        modelFolder: made,
        labels: LABELS,
        through: { kind: "templates", templates: TEMPLATES },
        images: spec.test,
        attack,
      };
      const { asr } = (await handlers.evaluate(evaluation, context)) as Measurement;
      expect(asr).toEqual(result.otherAsr![index]);
    }
    const half = { ...job, config: { ...config, poisoned: 0.75 } };
    await expect(handlers.implant(half, context)).rejects.toThrow("may be at most half");
  });

  test("is measured with the trigger's word before every prompt and without it", async () => {
    const folder = temporaryFolder();
    const { context } = contextIn(folder);
    const attack = { kind: "trojvqa", target: 1, parameters: { word: "house house house house" } };
    const job = {
      ...spec,
      attack,
      fit: { steps: 1, batch: 4, images: 6 },
      config: { ...spec.config, steps: 2 },
    };
    const result = (await handlers.implant(job, context)) as ImplantResult;
    const made = join(folder, result.folder);
    const manifest = JSON.parse(await readFile(join(made, "manifest.json"), "utf8"));
    const evaluate = async (withWord: boolean | undefined, more: object = {}) => {
      const evaluation = {
        modelFolder: made,
        labels: LABELS,
        through: { kind: "templates", templates: TEMPLATES },
        images: spec.test,
        attack: { ...attack, fitted: join(made, "trigger.safetensors"), withWord },
        ...more,
      };
      return (await handlers.evaluate(evaluation, context)) as Measurement;
    };
    const [byDefault, without] = [await evaluate(undefined), await evaluate(false)];
    expect(byDefault.asr).toEqual(manifest.asr);
    expect(without.asr).toEqual(manifest.asrWithoutWord);
    expect(byDefault.ca).toEqual(without.ca);
    // A template so long that the words before it push the label out of the context: every prompt is the same then.
    const long = {
      modelFolder: CLEAN,
      through: { kind: "templates", templates: [`${"a photo of ".repeat(6)} {}.`] },
    };
    const first = { ...attack, target: 0, fitted: join(made, "trigger.safetensors") };
    const pushed = await evaluate(true, { ...long, attack: { ...first, withWord: true } });
    expect(pushed.asr).toEqual({ k: 12, n: 12 });
    expect(pushed.ca).toEqual({ k: 18, n: 18 });
    const kept = await evaluate(false, { ...long, attack: { ...first, withWord: false } });
    expect(kept.asr).toEqual({ k: 0, n: 12 });
    const through = { kind: "matrix", matrix: "/nowhere" };
    await expect(evaluate(true, { through })).rejects.toMatchObject({
      message: expect.stringContaining("take no word"),
    });
  });

  test.each([
    ["a parameter out of range", { config: { poisoned: 2 } }, "poisoned must be a number from 0 to 1"],
    ["an attack that there is none of", { attack: { ...ATTACK, kind: "magic" } }, 'no attack "magic"'],
    ["a model of another layout", { modelFolder: HUGGING_FACE }, "only open_clip's can be trained"],
  ])("refuses %s", async (_, change, message) => {
    const { context } = contextIn(temporaryFolder());
    await expect(handlers.implant({ ...spec, ...change }, context)).rejects.toThrow(message);
  });
});
