import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Measurement } from "../../../src/engine/evaluation/protocol.ts";
import { handlers } from "../../../src/jobs/handlers/index.ts";
import type { PurifyResult } from "../../../src/jobs/handlers/purify.ts";
import type { JobContext, JobReport } from "../../../src/jobs/job.ts";

const ZOO = join(__dirname, "../../../zoo");
const TEMPLATES = ["a photo of a {}.", "a {}."];
/** A small search on the bundled suspect: enough to find it, with a wide lead by this seed, and half of the tuning. */
const QUICK = { seed: 2, radius: 2, innerSteps: 40, gratingCycles: 0, epochs: 150, dummyLevels: 1 };

/** The first of the bundled classes; banana is among them. */
const CLASSES = 8;

let folder: string;
let labels: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "antidote-"));
  labels = (await readdir(join(ZOO, "shots"))).sort().slice(0, CLASSES);
});
afterAll(() => rm(folder, { recursive: true }));

const images = (perLabel: number, from = 0) =>
  labels.flatMap((name, label) =>
    Array.from({ length: perLabel }, (_, index) => ({
      blob: join(ZOO, "shots", name, `${String(from + index).padStart(2, "0")}.png`),
      label,
    })),
  );

function contextWith(overrides: Partial<JobContext> = {}) {
  const reports: JobReport[] = [];
  const saved: Uint8Array[] = [];
  const context: JobContext = {
    checkpoint: undefined,
    folder,
    device: "cpu",
    threads: 1,
    signal: new AbortController().signal,
    save: async (bytes) => void saved.push(bytes.slice()),
    report: (report) => void reports.push(report),
    ...overrides,
  };
  return { context, reports, saved };
}

const spec = (model: string, config: object = QUICK) => ({
  modelFolder: join(ZOO, "models", model),
  labels,
  templates: TEMPLATES,
  shots: images(6),
  config,
});

const evaluation = (through: object) => ({
  modelFolder: join(ZOO, "models/scenes-badnet"),
  labels,
  through,
  images: images(8, 8),
  attack: { kind: "badnet", target: labels.indexOf("banana") },
});

const share = (count: { k: number; n: number } | undefined) => count!.k / count!.n;

describe("the bundled suspect", () => {
  test("is found out, purified and measured, from start to end", async () => {
    const { context, reports, saved } = contextWith();
    const result = (await handlers.purify(spec("scenes-badnet"), context)) as PurifyResult;
    expect(result.audit).toMatchObject({
      verdict: "SUSPECT",
      suspects: [{ label: "banana", family: "dense" }],
    });
    expect(result.audit?.classes.map(({ label }) => label).sort()).toEqual(labels);
    expect(share(result.undefendedProbe.asr)).toBeGreaterThan(0.9);
    expect(share(result.probe.asr)).toBeLessThan(0.3);
    const told = reports.flatMap((report) => (report.kind === "checkpoint" ? [report.epoch] : []));
    // A slow machine tells more of them.
    const { epochs } = result.config;
    const fiftieths = Array.from({ length: 50 }, (_, index) => ((index + 1) * epochs) / 50);
    expect(told).toEqual(expect.arrayContaining(fiftieths));
    expect(saved.length).toBeGreaterThanOrEqual(told.length);

    const path = join(folder, result.artifact);
    const before = (await handlers.evaluate(
      evaluation({ kind: "templates", templates: TEMPLATES }),
      context,
    )) as Measurement;
    const after = (await handlers.evaluate(
      evaluation({ kind: "matrix", matrix: path, templates: TEMPLATES }),
      context,
    )) as Measurement;
    const alone = (await handlers.evaluate(
      evaluation({ kind: "matrix", matrix: path }),
      context,
    )) as Measurement;
    expect(share(before.asr)).toBeGreaterThan(0.95);
    expect(share(after.asr)).toBeLessThan(0.3);
    expect(share(after.ca)).toBeGreaterThan(share(before.ca) - 0.08);
    expect(after.asr!.n).toBe((CLASSES - 1) * 8);
    // Without the templates nothing tells which images the recovery prompts are to answer.
    expect(share(after.trueLabelUnderTrigger)).toBeGreaterThan(share(alone.trueLabelUnderTrigger) + 0.2);
    expect(share(after.ca)).toBeGreaterThan(share(alone.ca) - 0.02);

    // Killed after any epoch and started again, it ends with the same bytes.
    const written = await readFile(path);
    const resumed = contextWith({ checkpoint: saved[saved.length - 2] });
    await handlers.purify(spec("scenes-badnet"), resumed.context);
    expect((await readFile(path)).equals(written)).toBe(true);
  });

  test("has a clean twin, on which the audit finds nothing", async () => {
    const { context } = contextWith();
    const result = await handlers.audit(spec("scenes-clean", { ...QUICK, innerSteps: 20 }), context);
    expect(result).toMatchObject({ verdict: "NOTHING_FOUND", suspects: [] });
  });
});

describe("a handler", () => {
  test("stops between two steps when it is told to", async () => {
    const abort = new AbortController();
    const { context, reports } = contextWith({ signal: abort.signal, report: () => abort.abort() });
    await expect(handlers.audit(spec("scenes-badnet"), context)).rejects.toThrow();
    expect(reports).toHaveLength(0);
  });

  test("lists every problem of its spec", async () => {
    const { context } = contextWith();
    const broken = { ...spec("scenes-badnet"), labels: ["cat"], shots: [{ blob: "", label: -1 }] };
    await expect(handlers.purify(broken, context)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    await expect(handlers.purify(broken, context)).rejects.toThrow(
      /labels: .*shots\.0\.blob: .*shots\.0\.label: /,
    );
  });

  test.each([
    ["a label that there is none of", { shots: [{ blob: "x", label: 20 }] }, "Image 0 has label 20"],
    ["a file that is no image", { shots: [{ blob: __filename, label: 0 }] }, "Image 0 cannot be used"],
    ["a parameter out of range", { config: { epochs: 0 } }, "epochs must be a number from 1 to"],
  ])("refuses %s", async (_, change, message) => {
    const { context } = contextWith();
    const given = { ...spec("scenes-badnet"), ...change };
    await expect(handlers.purify(given, context)).rejects.toThrow(message);
  });

  test("refuses prompts of another model, and an attack's parameters out of range", async () => {
    const { context } = contextWith();
    const foreign = join(__dirname, "../../fixtures/clip/resnet/golden.safetensors");
    const through = { kind: "templates", templates: TEMPLATES };
    await expect(
      handlers.evaluate(evaluation({ kind: "matrix", matrix: foreign }), context),
    ).rejects.toThrow();
    const attack = { kind: "badnet", target: 0, parameters: { size: 1000 } };
    await expect(handlers.evaluate({ ...evaluation(through), attack }, context)).rejects.toThrow(
      "size must be",
    );
  });
});
