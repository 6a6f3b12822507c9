import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import type { Shot } from "../../../src/engine/cbpt/problem.ts";
import { decodeState, encodeState } from "../../../src/engine/cbpt/state.ts";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { zeroShotMatrix } from "../../../src/engine/clip/zero-shot.ts";
import type { DefendedPrompts, DefendedWeights } from "../../../src/engine/defences/defence.ts";
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
import type { Program } from "../../../src/engine/runtime/program.ts";
import { openSession } from "../../../src/engine/runtime/session.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const LABELS = ["cat", "dog", "a"];
const TEMPLATES = ["a {}", "the {}"];
const SHOTS_PER_LABEL = 4;
/** Of the model here, a small vision transformer of random weights. */
const SIZE = { height: 28, width: 40 };

interface Row {
  readonly parameters: Partial<ValuesOf<Parameters>>;
  /** Name of the loss that is to fall from the first epoch to the last. */
  readonly falls?: string;
}

const TUNED = { epochs: 4, batchSize: 4, learningRate: 1e-2, warmupSteps: 1 };

/** How each defence is run here: quickly. */
const TABLE: Readonly<Record<DefenceName, Row>> = {
  none: { parameters: {} },
  coop: { parameters: { epochs: 8, batchSize: 4, learningRate: 0.05 }, falls: "cleanEntropy" },
  ft: { parameters: TUNED, falls: "loss" },
  cleanclip: { parameters: { ...TUNED, epochs: 4 }, falls: "loss" },
  par: { parameters: TUNED, falls: "loss" },
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
        { length: 3 * SIZE.height * SIZE.width },
        (_, index) =>
          0.5 * random.uniform() + (Math.floor(index / (SIZE.height * SIZE.width)) === label ? 0.5 : 0),
      ),
    })),
  );
}

const SHOTS = shots();

let checkpoint: Checkpoint;
beforeAll(async () => {
  checkpoint = await openCheckpoint(join(__dirname, "../../fixtures/clip/vit"));
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

  test("makes what it says, and makes it again when it is killed on the way", async () => {
    const states = await opened(name, { parameters }, async (run) => {
      const all = await follow(run);
      const result = await run.result(all.at(-1));
      expect(result.kind).toBe(defences[name].makes);
      await expectUsable(result);
      expectProgress(run, all, falls);
      return { all, digest: digestOf(result) };
    });
    await opened(name, { parameters }, async (run) => {
      const place = states.all.length >> 1;
      const resumed = await follow(run, encodeState(states.all[place]));
      expect(resumed).toHaveLength(states.all.length - place);
      expect(digestOf(await run.result(resumed.at(-1)))).toBe(states.digest);
    });
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

function expectProgress(run: DefenceRun, states: readonly unknown[], falls: string | undefined): void {
  const fractions = states.map((state) => run.progress(state).fraction);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(fractions.at(-1)).toBeCloseTo(1, 10);
  if (falls === undefined) return;
  const losses = lossesByEpoch(run, states.slice(1), falls);
  expect(losses.at(-1)).toBeLessThan(losses[0]);
}

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
  else await expectCheckpoint(result);
}

async function expectCheckpoint({ files }: DefendedWeights): Promise<void> {
  const folder = temporaryFolder();
  for (const { name, bytes } of files) await writeFile(join(folder, name), bytes);
  const made = await openCheckpoint(folder);
  const manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8"));
  expect(manifest).toMatchObject({
    seed: 1,
    shots: SHOTS.length,
    base: `sha256:${await checkpoint.weightsDigest()}`,
    weights: `sha256:${await made.weightsDigest()}`,
  });
  expect(manifest.weights).not.toBe(manifest.base);
  expect(made.architecture).toEqual(checkpoint.architecture);
  const open = (program: Program) => openSession(program, { device: "cpu", threads: 1 });
  const [before, after] = [
    await zeroShotMatrix(open, checkpoint, LABELS, TEMPLATES),
    await zeroShotMatrix(open, made, LABELS, TEMPLATES),
  ];
  expect(after.every(Number.isFinite)).toBe(true);
  expect(after).not.toEqual(before);
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

describe("the seed", () => {
  test.each(DEFENCE_NAMES.filter((name) => name !== "none"))("of %s changes what it makes", async (name) => {
    const stateOf = (seed: number) =>
      opened(name, { ...TABLE[name], seed }, async (run) => digestOf(await run.step(await run.init())));
    const [first, other] = [await stateOf(1), await stateOf(2)];
    expect(other).not.toBe(first);
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
