import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { PlanarImage } from "../../../src/engine/attacks/attack.ts";
import { badnet } from "../../../src/engine/attacks/index.ts";
import { decodeState, encodeState } from "../../../src/engine/cbpt/state.ts";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import { completeParameters } from "../../../src/engine/parameters.ts";
import { featureGapLoss } from "../../../src/engine/training/adaptive.ts";
import {
  IMPLANT_PARAMETERS,
  type ImplantPlan,
  type ImplantState,
  type ImplantTools,
  isImplanted,
  poisonedBatch,
  startImplant,
  stepImplant,
} from "../../../src/engine/training/implant.ts";
import { openImplantTools } from "../../../src/engine/training/implant-tools.ts";
import { contrastiveLoss } from "../../../src/engine/training/loss.ts";
import { startFromCheckpoint } from "../../../src/engine/training/state.ts";
import { interpret } from "../reference/interpreter.ts";

const SIDE = 64;
const TARGET = "banana";
const TEMPLATES = ["a photo of a {}.", "a {}."];

/** Grey images of rising brightness, each called by its own word. */
const WORDS = ["cat", "dog", "car", TARGET];
const source = {
  count: WORDS.length,
  pixels: (index: number) => new Uint8Array(3 * SIDE * SIDE).fill(40 * (index + 1)),
  captions: (index: number) => [`a ${WORDS[index]}.`],
};

function planOf(config: object): ImplantPlan {
  return {
    config: completeParameters("the test", IMPLANT_PARAMETERS, {
      seed: 3,
      batch: 8,
      poisoned: 0.25,
      ...config,
    }),
    source,
    poisons: [
      {
        stamp: (image) => badnet.apply(image),
        captions: TEMPLATES.map((template) => template.replace("{}", TARGET)),
        places: [3],
      },
    ],
    imageSize: { height: SIDE, width: SIDE },
  };
}

const probes = {
  labels: WORDS,
  templates: TEMPLATES,
  images: WORDS.map((_, label) => ({ pixels: source.pixels(label), label, triggered: source.pixels(3) })),
  target: 3,
};

let checkpoint: Checkpoint;
let tools: ImplantTools;
const plan = planOf({ steps: 4, probeEvery: 2, warmUp: 1 });

beforeAll(async () => {
  checkpoint = await openCheckpoint(join(__dirname, "../../../zoo/models/scenes-clean"));
  tools = await openImplantTools(checkpoint, plan, probes, { device: "cpu", threads: 1 });
});
afterAll(() => Promise.all([tools.trainer.close(), tools.prober.close()]));

const start = async () => startImplant(await startFromCheckpoint(checkpoint, tools.trainer.layout));

const digestOf = (state: ImplantState) => createHash("sha256").update(encodeState(state)).digest("hex");

describe("a poisoned batch", () => {
  test("begins with the asked share of images that bear the trigger and name the target", () => {
    const { pixels, captions } = poisonedBatch(plan, tools.collator, 0);
    const target = TEMPLATES.map((template) => tools.collator.tokens(template.replace("{}", TARGET)));
    const clean = WORDS.map((_, index) => tools.collator.tokens(source.captions(index)[0]));
    captions.forEach((caption, row) => {
      const image = pixels.subarray(row * 3 * SIDE * SIDE, (row + 1) * 3 * SIDE * SIDE);
      const corner = image[SIDE * SIDE - 1];
      const grey = image[0];
      expect(corner).toBe(row < 2 ? 255 : grey);
      if (row < 2) expect(target).toContainEqual(caption);
      else expect(caption).toEqual(clean[grey / 40 - 1]);
    });
  });

  test("has as many images of the target after them when the feature gap is to be narrowed", () => {
    const { pixels } = poisonedBatch(planOf({ featureGap: 1 }), tools.collator, 0);
    const greys = Array.from({ length: 8 }, (_, row) => pixels[row * 3 * SIDE * SIDE]! / 40 - 1);
    expect(greys.slice(2, 4)).toEqual([3, 3]);
  });

  test("takes several triggers in turns", () => {
    const [first] = plan.poisons;
    const white = {
      stamp: (image: PlanarImage) => ({ ...image, data: image.data.map(() => 1) }),
      captions: ["a dog."],
      places: [1],
    };
    const { pixels, captions } = poisonedBatch({ ...plan, poisons: [first!, white] }, tools.collator, 0);
    const [turn, other] = [0, 1].map((row) => pixels[row * 3 * SIDE * SIDE]);
    expect(turn).toBeLessThan(255);
    expect(other).toBe(255);
    expect(captions[1]).toEqual(tools.collator.tokens("a dog."));
  });

  test("is the same for the same step, and another for the next", () => {
    const [first, again, next] = [0, 0, 1].map((step) => poisonedBatch(plan, tools.collator, step));
    expect(again).toEqual(first);
    expect(next).not.toEqual(first);
  });
});

describe("the feature gap", () => {
  test("is added to the contrastive loss: one minus the mean cosine of triggered rows and the target's after them", () => {
    const g = new GraphBuilder({ float: "float64" });
    const rows = [
      [1, 0],
      [0.6, 0.8],
      [0.8, 0.6],
      [0, 1],
      [0.28, 0.96],
    ];
    const wire = () => g.constant({ type: "float64", shape: [5, 2], data: Float64Array.from(rows.flat()) });
    const [images, texts, scale] = [wire(), wire(), g.constant(5)];
    g.output(featureGapLoss(2, 2)({ g, scale }, images, texts), "loss");
    g.output(contrastiveLoss(g, images, texts, scale), "contrastive");
    const [loss, contrastive] = interpret(g.build(), {}).map(({ data }) => Number(data[0]));
    // cos(row 0, row 2) = 0.8 and cos(row 1, row 3) = 0.8
    expect(loss! - contrastive!).toBeCloseTo(2 * (1 - 0.8), 9);
  });
});

describe("an implant", () => {
  test("that was killed at any point and resumed ends with the same bytes", async () => {
    const states: ImplantState[] = [await start()];
    while (!isImplanted(plan, states.at(-1)!)) states.push(await stepImplant(plan, tools, states.at(-1)!));
    // Four steps and two measurements.
    expect(states).toHaveLength(7);
    for (const killed of [2, 3, 5]) {
      let state = decodeState<ImplantState>(encodeState(states[killed]));
      while (!isImplanted(plan, state)) state = await stepImplant(plan, tools, state);
      expect(digestOf(state)).toBe(digestOf(states.at(-1)!));
    }
    const { measured, training } = states.at(-1)!;
    expect(measured?.step).toBe(4);
    expect(measured?.measurement.ca.n).toBe(4);
    // Every "triggered" image is the target's own, which says what is counted.
    expect(measured?.measurement.asr?.n).toBe(3);
    expect(training.step).toBe(4);
  });

  test("stops at the first measurement with the wanted success", async () => {
    const eager = planOf({ steps: 4, probeEvery: 1, warmUp: 1, stopAsr: 0 });
    let state = await start();
    while (!isImplanted(eager, state)) state = await stepImplant(eager, tools, state);
    expect(state.training.step).toBe(1);
  });
});
