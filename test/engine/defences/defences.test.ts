import { createHash } from "node:crypto";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import type { Shot } from "../../../src/engine/cbpt/problem.ts";
import { decodeState, encodeState } from "../../../src/engine/cbpt/state.ts";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import type { DefendedPrompts } from "../../../src/engine/defences/defence.ts";
import {
  DEFENCE_NAMES,
  type DefenceName,
  type DefenceResult,
  type DefenceRun,
  type DefenceTask,
  defences,
  openDefence,
} from "../../../src/engine/defences/index.ts";
import type { Parameters, ValuesOf } from "../../../src/engine/parameters.ts";
import { randomStream } from "../../../src/engine/random.ts";

const LABELS = ["cat", "dog", "a"];
const TEMPLATES = ["a {}", "the {}"];
const SHOTS_PER_LABEL = 4;
const SIDE = 64;

interface Row {
  readonly parameters: Partial<ValuesOf<Parameters>>;
  /** Name of the loss that is to fall from the first epoch to the last. */
  readonly falls?: string;
}

/** How each defence is run here: quickly. */
const TABLE: Readonly<Record<DefenceName, Row>> = {
  none: { parameters: {} },
  coop: { parameters: { epochs: 8, batchSize: 4, learningRate: 0.05 }, falls: "cleanEntropy" },
  "cbpt-published": {
    parameters: { epochs: 8, warmupEpochs: 2, batchSize: 4, innerSteps: 2, learningRate: 0.05 },
    falls: "cleanEntropy",
  },
  "cbpt-universal": {
    parameters: { epochs: 30, batchSize: 12, innerSteps: 2, innerBatch: 2, gratingCycles: 1 },
  },
};

/** Noise over a colour of each class's own. */
function shots(): Shot[] {
  const random = randomStream(5);
  return LABELS.flatMap((_, label) =>
    Array.from({ length: SHOTS_PER_LABEL }, () => ({
      label,
      pixels: Float32Array.from(
        { length: 3 * SIDE * SIDE },
        (_, index) => 0.5 * random.uniform() + (Math.floor(index / SIDE ** 2) === label ? 0.5 : 0),
      ),
    })),
  );
}

const SHOTS = shots();

let checkpoint: Checkpoint;
beforeAll(async () => {
  checkpoint = await openCheckpoint(join(__dirname, "../../fixtures/clip/resnet"));
});

const taskOf = (given: Partial<DefenceTask> = {}): DefenceTask => ({
  checkpoint,
  labels: LABELS,
  templates: TEMPLATES,
  shots: SHOTS,
  seed: 1,
  device: "cpu",
  threads: 1,
  ...given,
});

async function opened<Made>(
  name: string,
  given: Partial<DefenceTask> & { parameters?: object },
  work: (run: DefenceRun) => Promise<Made>,
): Promise<Made> {
  const run = await openDefence(name, { ...taskOf(given), parameters: given.parameters });
  try {
    return await work(run);
  } finally {
    await run.close();
  }
}

/** Every state from the given one on. */
async function follow(run: DefenceRun, from?: Uint8Array): Promise<unknown[]> {
  const states = [from ? decodeState(from) : await run.init()];
  while (!run.isDone(states.at(-1))) states.push(await run.step(states.at(-1)));
  return states;
}

/** Jest compares long arrays slowly; a digest does as well. */
const digestOf = (value: unknown): string => createHash("sha256").update(encodeState(value)).digest("hex");

describe.each(DEFENCE_NAMES)("the defence %s", (name) => {
  const { parameters, falls } = TABLE[name];

  test("goes on from any of its states to the same result, and shows how far it is", async () => {
    await opened(name, { parameters }, async (run) => {
      const states = await follow(run);
      const result = digestOf(await run.result(states.at(-1)));
      for (const place of [0, states.length >> 1, states.length - 2].filter((index) => index >= 0)) {
        const resumed = await follow(run, encodeState(states[place]));
        expect(resumed).toHaveLength(states.length - place);
        expect(digestOf(await run.result(resumed.at(-1)))).toBe(result);
      }
      const fractions = states.map((state) => run.progress(state).fraction);
      expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
      expect(fractions.at(-1)).toBeCloseTo(1, 10);
      if (falls) {
        const losses = lossesByEpoch(run, states.slice(1), falls);
        expect(losses.at(-1)).toBeLessThan(losses[0]);
      }
    });
  });

  test("makes what it says, the same for the same seed", async () => {
    const make = (seed: number) =>
      opened(name, { parameters, seed }, async (run) => run.result((await follow(run)).at(-1)));
    const [first, again, other] = [await make(1), await make(1), await make(2)];
    expect(first.kind).toBe(defences[name].makes);
    expect(digestOf(again)).toBe(digestOf(first));
    if (Object.keys(parameters).length > 0) expect(digestOf(other)).not.toBe(digestOf(first));
    await expectUsable(first);
  });

  test("refuses what it has no parameter for", async () => {
    await expect(openDefence(name, { ...taskOf(), parameters: { target: 1 } })).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringContaining(
        `The parameters of the defence "${name}" are not valid: target is not`,
      ),
    });
  });
});

/** Mean of a loss in each epoch, of the states after every step. */
function lossesByEpoch(run: DefenceRun, states: readonly unknown[], loss: string): number[] {
  const places = states.map((state) => run.progress(state));
  const steps = places[0].steps;
  const values = places.map(({ losses }) => losses.find(({ name }) => name === loss)!.value);
  return Array.from({ length: Math.floor(values.length / steps) }, (_, epoch) => {
    const own = values.slice(epoch * steps, (epoch + 1) * steps);
    return own.reduce((sum, value) => sum + value, 0) / own.length;
  });
}

async function expectUsable(result: DefenceResult): Promise<void> {
  if (result.kind === "prompts") expectPrompts(result);
}

function expectPrompts({ textFeatures, contexts }: DefendedPrompts): void {
  const width = checkpoint.architecture.embeddingWidth;
  expect(textFeatures).toHaveLength(LABELS.length * width);
  for (let label = 0; label < LABELS.length; label++)
    expect(Math.hypot(...textFeatures.slice(label * width, (label + 1) * width))).toBeCloseTo(1, 4);
  expect(contexts.values).toHaveLength(LABELS.length * contexts.tokens * contexts.width);
}

describe("context optimisation", () => {
  const contextsOf = (context: string) =>
    opened("coop", { parameters: { ...TABLE.coop.parameters, context } }, async (run) => {
      const result = (await run.result((await follow(run)).at(-1))) as DefendedPrompts;
      const { values, tokens, width } = result.contexts;
      return LABELS.map((_, label) => values.slice(label * tokens * width, (label + 1) * tokens * width));
    });

  test("learns the same context for all classes, or one for each", async () => {
    const [shared, own] = [await contextsOf("SHARED"), await contextsOf("CLASS_WISE")];
    expect(shared[1]).toEqual(shared[0]);
    expect(own[1]).not.toEqual(own[0]);
  });
});

describe("a defence that cannot be", () => {
  test.each([
    ["of no known name", "magic", {}, { code: "NOT_FOUND", message: 'There is no defence "magic".' }],
    [
      "without shots of a label",
      "coop",
      { shots: [] },
      { message: "Every label needs at least one clean shot" },
    ],
    ["of one label only", "none", { labels: ["cat"] }, { message: "At least two labels are needed" }],
    [
      "of parameters that contradict each other",
      "cbpt-universal",
      { parameters: { epochs: 2, warmupEpochs: 3 } },
      { code: "VALIDATION_FAILED", message: "warmupEpochs must not be above epochs" },
    ],
  ] as const)("%s is refused", async (_, name, given, { message, ...rest }) => {
    await expect(opened(name, given, async () => {})).rejects.toMatchObject({
      ...rest,
      message: expect.stringContaining(message),
    });
  });
});
