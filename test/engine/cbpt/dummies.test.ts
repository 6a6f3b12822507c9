import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type CbptConfig, completeConfig } from "../../../src/engine/cbpt/config.ts";
import { universalBatch } from "../../../src/engine/cbpt/dummies.ts";
import { dot, row } from "../../../src/engine/cbpt/features.ts";
import { LOSSES } from "../../../src/engine/cbpt/objective.ts";
import { prepareProblem } from "../../../src/engine/cbpt/prepare.ts";
import type { Problem } from "../../../src/engine/cbpt/problem.ts";
import { startTuning } from "../../../src/engine/cbpt/tuning.ts";
import { type TuningBatch, Workbench } from "../../../src/engine/cbpt/workbench.ts";
import { openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { randomStream } from "../../../src/engine/random.ts";
import { suspected } from "./suspected.ts";

const LABELS = ["cat", "dog", "cat dog"];
const EACH = 4;
const SHOTS = EACH * LABELS.length;
/** The class that `suspected` suspects. */
const SUSPECT = 1;
const { suspects } = suspected().audit;

let known: Problem;
beforeAll(async () => {
  const random = randomStream(5);
  known = await prepareProblem({
    checkpoint: await openCheckpoint(join(__dirname, "../../fixtures/clip/resnet")),
    config: completeConfig("UNIVERSAL", {}),
    labels: LABELS,
    templates: ["a {}"],
    shots: Array.from({ length: SHOTS }, (_, index) => ({
      label: index % LABELS.length,
      pixels: Float32Array.from({ length: 3 * 64 * 64 }, random.uniform),
    })),
    device: "cpu",
    threads: 2,
  });
});

const opened: Workbench[] = [];
afterAll(() => Promise.all(opened.map((bench) => bench.close())));

/** With the network as it is and other parameters. */
function benchWith(changed: Partial<CbptConfig> = {}): Workbench {
  const bench = new Workbench({ ...known, config: { ...known.config, ...changed } });
  opened.push(bench);
  return bench;
}

const firstBatch = (bench: Workbench, of = suspects) => universalBatch(bench, startTuning(bench.problem), of);

const rowsOf = ({ clean, labels }: TuningBatch) => labels.map((_, index) => row(clean, known.width, index));
const largestGap = (a: Float32Array, b: Float32Array) =>
  Math.max(...a.map((value, index) => Math.abs(value - b[index])));

test("without a suspect a batch is the shots, once each", async () => {
  const { labels, suspects: pushed } = await firstBatch(benchWith(), []);
  expect([...labels].sort()).toEqual(known.shots.map(({ label }) => label).sort());
  expect(pushed).toEqual(labels.map(() => -1));
});

test("with one, as many rows of its own images come to it, which are pushed nowhere", async () => {
  const { config } = known;
  const batch = await firstBatch(benchWith());
  const [shown, own] = [batch.labels.slice(0, SHOTS), batch.labels.slice(SHOTS)];
  expect([...shown].sort()).toEqual(known.shots.map(({ label }) => label).sort());
  expect(own).toEqual(new Array(SHOTS).fill(SUSPECT));
  expect(batch.suspects).toEqual([
    ...shown.map((label) => (label === SUSPECT ? -1 : SUSPECT)),
    ...own.map(() => -1),
  ]);
  // Together they weigh what the suspect's shots would, times the emphasis.
  const weight = batch.emphasis.slice(SHOTS).reduce((sum, one) => sum + one, 0);
  expect(weight).toBeCloseTo(config.suspectEmphasis * EACH, 6);
  // The losses are means over twice the rows.
  expect(batch.weights).toEqual([
    2 * config.alpha,
    2 * config.beta,
    2 * config.gamma,
    2 * config.gammaDummy,
    1,
  ]);
});

test("a suspect's own rows are its shots, or have what sets another shot apart from its class", async () => {
  const shots = known.shots.flatMap(({ label }, index) =>
    label === SUSPECT ? [row(known.features, known.width, index)] : [],
  );
  const isShot = (feature: Float32Array) => shots.some((shot) => largestGap(shot, feature) < 1e-6);
  const own = async (exchange: number) => rowsOf(await firstBatch(benchWith({ exchange }))).slice(SHOTS);
  expect((await own(0)).every(isShot)).toBe(true);
  const exchanged = await own(1);
  // One in three has its own class's deviation, and so is a shot.
  expect(exchanged.some((feature) => !isShot(feature))).toBe(true);
  for (const feature of exchanged) expect(dot(feature, feature)).toBeCloseTo(1, 5);
});

test("a suspect of few shots stays nearer to what the undefended model knows of it, and less is unlearned", async () => {
  const { config } = known;
  const share = EACH / 16;
  const few = await firstBatch(benchWith());
  expect(few.margin).toBe(config.margin * Math.sqrt(share));
  expect(few.anchors).toEqual([config.anchor, config.suspectAnchor / share, config.anchor]);
  const times = [1, 2, 3, 4];
  const features = Float32Array.from(times.flatMap(() => [...known.features]));
  const many = new Workbench({ ...known, shots: times.flatMap(() => known.shots), features });
  opened.push(many);
  const enough = await firstBatch(many);
  expect(enough.margin).toBe(config.margin);
  expect(enough.anchors).toEqual([config.anchor, config.suspectAnchor, config.anchor]);
});

test("other weights than the run's own are those of its batch alone", async () => {
  const bench = benchWith();
  const changed = { ...known.config, gammaDummy: 3, margin: 1 };
  const batch = await universalBatch(bench, startTuning(bench.problem), suspects, changed);
  const own = await firstBatch(bench);
  expect(batch.weights[3]).toBe(2 * 3);
  expect(batch.margin).toBe(own.margin / known.config.margin);
  expect(batch.dummy).toEqual(own.dummy);
});

test("the margin is added to the logit of the class that a dummy is pushed away from", async () => {
  const unlearned = async (margin: number) => {
    const bench = benchWith({ margin });
    const batch = await firstBatch(bench);
    const { contexts } = startTuning(bench.problem);
    const { losses } = await bench.tune(contexts, batch);
    return { batch, text: await bench.textFeatures(contexts), loss: losses[LOSSES.indexOf("unlearning")] };
  };
  for (const margin of [0, 4]) {
    const { batch, text, loss } = await unlearned(margin);
    const { width, checkpoint } = known;
    const terms = batch.suspects.map((suspect, index) => {
      if (suspect < 0) return 0;
      const logits = LABELS.map(
        (_, label) =>
          checkpoint.logitScale * dot(row(batch.dummy, width, index), row(text, width, label)) +
          (label === suspect ? batch.margin : 0),
      );
      const powers = logits.map((logit) => Math.exp(logit - Math.max(...logits)));
      const all = powers.reduce((sum, power) => sum + power, 0);
      return -Math.log((all - powers[suspect]) / all);
    });
    expect(loss).toBeCloseTo(terms.reduce((sum, term) => sum + term, 0) / terms.length, 3);
  }
});
