import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { MOST_TRIGGERS, startAudit, stepAudit } from "../../../src/engine/cbpt/audit.ts";
import { completeConfig, type Mode } from "../../../src/engine/cbpt/config.ts";
import {
  perImageProgram,
  pullProgram,
  pullWithTextProgram,
  tuningProgram,
  universalProgram,
} from "../../../src/engine/cbpt/objective.ts";
import {
  planAudit,
  planPurification,
  type RunPlan,
  WORK_KINDS,
  type WorkKind,
} from "../../../src/engine/cbpt/plan.ts";
import { prepareProblem, sizeOfRun } from "../../../src/engine/cbpt/prepare.ts";
import type { Problem } from "../../../src/engine/cbpt/problem.ts";
import {
  isPurified,
  type Purification,
  startPurification,
  stepPurification,
} from "../../../src/engine/cbpt/purification.ts";
import { encodeState } from "../../../src/engine/cbpt/state.ts";
import { type TuningBatch, Workbench } from "../../../src/engine/cbpt/workbench.ts";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { imageProgram } from "../../../src/engine/clip/programs.ts";
import type { ImageList } from "../../../src/engine/evaluation/encode.ts";
import { flopsOf } from "../../../src/engine/onnx/cost.ts";
import { randomStream } from "../../../src/engine/random.ts";
import { suspected } from "./suspected.ts";

const LABELS = ["cat", "dog", "a"];
const SHOTS = 9;
/** One round of a short search, and a short tuning. */
const SMALL = {
  radius: 2,
  innerSteps: 3,
  innerBatch: 2,
  gratingCycles: 2,
  epochs: 3,
  warmupEpochs: 1,
  batchSize: 4,
};

let checkpoint: Checkpoint;
beforeAll(async () => {
  checkpoint = await openCheckpoint(join(__dirname, "../../fixtures/clip/resnet"));
});

const options = (mode: Mode, given: object = {}) => ({
  checkpoint,
  config: completeConfig(mode, { ...SMALL, ...given }),
  labels: LABELS,
  templates: ["a {}"],
  device: "cpu" as const,
});

function problemOf(mode: Mode, targets?: readonly number[]): Promise<Problem> {
  const random = randomStream(5);
  const shots = Array.from({ length: SHOTS }, (_, index) => ({
    label: index % LABELS.length,
    pixels: Float32Array.from({ length: 3 * 64 * 64 }, random.uniform),
  }));
  return prepareProblem({ ...options(mode), targets, shots, threads: 1 });
}

async function planOf(mode: Mode, given: object = {}): Promise<RunPlan> {
  return planPurification(await sizeOfRun({ ...options(mode, given), shots: { length: SHOTS } }));
}

interface Done {
  images: number;
  flops: Record<WorkKind, number>;
}

/** Works as any, and counts what its programs do. */
class CountingWorkbench extends Workbench {
  done: Done = { images: 0, flops: { image: 0, gradient: 0, text: 0 } };

  override encode(images: ImageList) {
    this.note(
      "image",
      images.length,
      images.length * flopsOf(imageProgram(checkpoint, { batch: "dynamic" }).graph),
    );
    return super.encode(images);
  }

  override invertUniversal(pixels: Float32Array, triggers: Float32Array, targets: readonly number[]) {
    const images = pixels.length / (3 * 64 * 64);
    const shape = { triggers: targets.length, images: images / targets.length, classes: LABELS.length };
    this.note("gradient", images, flopsOf(universalProgram(checkpoint, shape).graph));
    return super.invertUniversal(pixels, triggers, targets);
  }

  override pull(pixels: Float32Array, label: number) {
    const images = pixels.length / (3 * 64 * 64);
    const program = pullProgram(checkpoint, { images, classes: LABELS.length });
    this.note("gradient", images, flopsOf(program.graph));
    return super.pull(pixels, label);
  }

  override pullWithText(...given: Parameters<Workbench["pullWithText"]>) {
    const [pixels, , , { labels }] = given;
    const images = pixels.length / (3 * 64 * 64);
    const program = pullWithTextProgram(checkpoint, { images, rows: labels.length, classes: LABELS.length });
    this.note("gradient", images, flopsOf(program.graph));
    return super.pullWithText(...given);
  }

  override invertPerImage(feeds: Parameters<Workbench["invertPerImage"]>[0]) {
    const batch = feeds.pixels.length / (3 * 64 * 64);
    this.note("gradient", batch, flopsOf(perImageProgram(checkpoint, { batch, temperature: 0.1 }).graph));
    return super.invertPerImage(feeds);
  }

  override tune(contexts: Float32Array, batch: TuningBatch) {
    const { classes, length } = this.problem.layout;
    const program = tuningProgram(checkpoint, { classes, length, batch: batch.labels.length });
    this.note("text", 0, flopsOf(program.graph));
    return super.tune(contexts, batch);
  }

  private note(kind: WorkKind, images: number, flops: number): void {
    this.done.images += images;
    this.done.flops[kind] += flops;
  }
}

/** What each phase has done, from the given state to the end; and its steps, and its largest saved state. */
async function follow(problem: Problem, from = startPurification(problem)) {
  const bench = new CountingWorkbench(problem);
  const phases = new Map<string, Done & { steps: number; saved: number }>();
  let state = from;
  try {
    while (!isPurified(problem, state)) {
      const name = state.phase === "audit" ? state.audit.stage : tuningOf(problem, state);
      bench.done = { images: 0, flops: { image: 0, gradient: 0, text: 0 } };
      state = await stepPurification(bench, state);
      const before = phases.get(name) ?? {
        steps: 0,
        images: 0,
        flops: { image: 0, gradient: 0, text: 0 },
        saved: 0,
      };
      const flops = { ...before.flops };
      for (const kind of WORK_KINDS) flops[kind] += bench.done.flops[kind];
      phases.set(name, {
        steps: before.steps + 1,
        images: before.images + bench.done.images,
        flops,
        saved: Math.max(before.saved, encodeState(state).length),
      });
    }
    return phases;
  } finally {
    await bench.close();
  }
}

const tuningOf = ({ config }: Problem, { tuning }: Purification & { phase: "tune" }) =>
  tuning.epoch < config.epochs ? "tune" : "recover";

const phaseOf = (plan: RunPlan, name: string) => plan.phases.find((phase) => phase.name === name)!;

/** Programs of several images share a little work, so what one image takes is not exactly its part. */
const near = (value: number, expected: number) =>
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(0.02 * expected);

describe("a plan of a search", () => {
  test("foretells the steps, images and operations of every phase", async () => {
    const plan = await planOf("UNIVERSAL");
    const phases = await follow(await problemOf("UNIVERSAL"));
    for (const name of ["invert", "count"]) {
      const [planned, done] = [phaseOf(plan, name), phases.get(name)!];
      expect([name, planned.steps, planned.images]).toEqual([name, done.steps, done.images]);
      for (const kind of WORK_KINDS) near(planned.flops[kind], done.flops[kind]);
    }
    const [gratings, tried] = [phaseOf(plan, "gratings"), phases.get("gratings")!];
    expect(tried.steps).toBe(gratings.steps);
    // A strong one is looked at once more, on shots of the other classes.
    const looks = (tried.images - gratings.images) / (SHOTS - SHOTS / LABELS.length);
    expect([0, 1, 2, 3]).toContain(looks);
    for (const name of ["tune", "recover"]) expect(phaseOf(plan, name).steps).toBe(phases.get(name)!.steps);
    near(phaseOf(plan, "recover").flops.text, phases.get("recover")!.flops.text);
    const tune = phaseOf(plan, "tune");
    // The plan also counts the text features of each epoch, which are told outside the steps.
    const { text } = phases.get("tune")!.flops;
    expect(tune.flops.text / text).toBeGreaterThan(1);
    expect(tune.flops.text / text).toBeLessThan(1.5);
  });

  test("for some targets only costs less, and finds triggers for those alone", async () => {
    const targets = [2, 0];
    const size = await sizeOfRun({ ...options("UNIVERSAL"), targets, shots: { length: SHOTS } });
    const plan = planPurification(size);
    const problem = await problemOf("UNIVERSAL", targets);
    const phases = await follow(problem);
    for (const name of ["invert", "count"]) {
      const [planned, done] = [phaseOf(plan, name), phases.get(name)!];
      expect([name, planned.steps, planned.images]).toEqual([name, done.steps, done.images]);
    }
    expect(phaseOf(plan, "invert").images).toBe(SMALL.innerSteps * SMALL.innerBatch * 2);
    const bench = new Workbench(problem);
    try {
      let state = startAudit(problem);
      while (state.stage !== "done") state = await stepAudit(bench, state);
      const dense = state.findings.filter(({ family }) => family === "dense");
      expect(dense.map(({ label }) => label)).toEqual(targets);
    } finally {
      await bench.close();
    }
  });

  test("foretells what one suspect costs", async () => {
    const plan = await planOf("UNIVERSAL");
    const phases = await follow(await problemOf("UNIVERSAL"), suspected());
    const [planned, done] = [phaseOf(plan, "refine"), phases.get("refine")!];
    expect([done.steps, done.images]).toEqual([planned.steps, planned.images]);
    near(planned.flops.gradient, done.flops.gradient);
    expect(done.saved / plan.bytes.saved).toBeGreaterThan(1);
    expect(done.saved / plan.bytes.saved).toBeLessThan(1.05);
    // The features that tuning works on are encoded in its first step, for every trigger that fits.
    const [foreseen, encoded] = [phaseOf(plan, "encode"), phases.get("tune")!];
    const triggers = (MOST_TRIGGERS * encoded.images) / foreseen.images;
    expect(Number.isInteger(triggers) && triggers >= 1 && triggers <= MOST_TRIGGERS).toBe(true);
    near((foreseen.flops.image * triggers) / MOST_TRIGGERS, encoded.flops.image);
  });

  test("says what it takes for granted", async () => {
    expect((await planOf("UNIVERSAL")).assumptions).toEqual([
      expect.stringContaining("one class is suspected"),
    ]);
    const rounds = await planOf("UNIVERSAL", { radius: 0 });
    expect(rounds.assumptions[0]).toContain("All 2 rounds");
    expect(phaseOf(rounds, "invert").steps).toBe(2 * SMALL.innerSteps);
  });

  test("of an audit ends before tuning", async () => {
    const audit = planAudit(await sizeOfRun({ ...options("UNIVERSAL"), shots: { length: SHOTS } }));
    const whole = await planOf("UNIVERSAL");
    expect(audit.phases).toEqual(whole.phases.slice(0, -3));
    expect(whole.phases.slice(-3).map(({ name }) => name)).toEqual(["encode", "tune", "recover"]);
  });

  test("of prompts that never recover has no such phase, and half of the artifact", async () => {
    const [plain, whole] = [await planOf("UNIVERSAL", { recovery: 0 }), await planOf("UNIVERSAL")];
    expect(plain.phases).toEqual(whole.phases.filter(({ name }) => name !== "recover"));
    expect(2 * plain.bytes.artifact).toBe(whole.bytes.artifact);
  });
});

test("a plan of the published mode foretells the same of its only phase", async () => {
  const plan = await planOf("PUBLISHED");
  const done = (await follow(await problemOf("PUBLISHED"))).get("tune")!;
  const planned = phaseOf(plan, "tune");
  expect([planned.steps, planned.images]).toEqual([done.steps, done.images]);
  near(planned.flops.gradient, done.flops.gradient);
  near(planned.flops.image, done.flops.image);
  expect(planned.flops.text / done.flops.text).toBeLessThan(2);
});
