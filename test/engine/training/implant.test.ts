import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { badnet } from "../../../src/engine/attacks/index.ts";
import { decodeState, encodeState } from "../../../src/engine/cbpt/state.ts";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { completeParameters } from "../../../src/engine/parameters.ts";
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
import { startFromCheckpoint } from "../../../src/engine/training/state.ts";

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

  test("is the same for the same step, and another for the next", () => {
    const [first, again, next] = [0, 0, 1].map((step) => poisonedBatch(plan, tools.collator, step));
    expect(again).toEqual(first);
    expect(next).not.toEqual(first);
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
