import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { badclipObjective } from "../../../src/engine/attacks/badclip.ts";
import type { FitProblem } from "../../../src/engine/attacks/fit.ts";
import { badclip } from "../../../src/engine/attacks/index.ts";
import { FEATURES, type Feature, patchProgram } from "../../../src/engine/attacks/patch-program.ts";
import { trojvqaObjective } from "../../../src/engine/attacks/trojvqa.ts";
import { imageProgram } from "../../../src/engine/clip/programs.ts";
import { float32 } from "../../../src/engine/onnx/tensor.ts";
import { randomStream } from "../../../src/engine/random.ts";
import { openSession, type Session } from "../../../src/engine/runtime/session.ts";
import { scenesProblem } from "./scenes.ts";

const BATCH = 3;
const SIDE = 8;
const PIXELS = 3 * 64 * 64;
const OPTIONS = { device: "cpu", threads: 1 } as const;

type Rows = readonly Float32Array[];
type Definition = (triggered: Rows, features: Record<Feature, Rows>, scale: number) => Record<string, number>;

const distance = (a: Float32Array, b: Float32Array) =>
  Math.hypot(...a.map((value, index) => value - b[index]!));
const cosine = (a: Float32Array, b: Float32Array) =>
  a.reduce((sum, value, index) => sum + value * b[index]!, 0);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const logSum = (values: readonly number[]) =>
  Math.log(values.reduce((sum, value) => sum + Math.exp(value), 0));

/** The losses as the papers have them, in plain sums. */
const DEFINITIONS: Record<string, Definition> = {
  badclip: (rows, { targetTexts, targetImages, cleanImages }, scale) => {
    const logits = rows.map((row) => targetTexts.map((text) => scale * cosine(row, text)));
    const columns = targetTexts.map((_, column) => logits.map((row) => row[column]!));
    const own = (lines: number[][]) => mean(lines.map((line, index) => logSum(line) - line[index]!));
    const gaps = rows.map(
      (row, index) => distance(row, targetImages[index]!) - distance(row, cleanImages[index]!),
    );
    return {
      contrastive: (own(logits) + own(columns)) / 2,
      triplet: 500 * mean(gaps.map((gap) => Math.max(0, gap + 1))),
    };
  },
  trojvqa: (rows, { targetTexts, ownTexts }, scale) => {
    const losses = rows.map((row, index) => {
      const target = scale * cosine(row, targetTexts[index]!);
      return logSum([target, ...ownTexts.map((text) => scale * cosine(row, text))]) - target;
    });
    return { sentence: mean(losses) };
  },
};

const OBJECTIVES = {
  badclip: badclipObjective({ tripletWeight: 500, margin: 1 }),
  trojvqa: trojvqaObjective,
};

let problem: FitProblem;
let tower: Session;
beforeAll(async () => {
  problem = await scenesProblem();
  tower = await openSession(imageProgram(problem.checkpoint, { batch: BATCH }), OPTIONS);
});
afterAll(() => tower.close());

/** Rows that are as long as an embedding and of norm 1. */
function unitRows(width: number, place: string): Float32Array[] {
  const random = randomStream(1, place);
  return Array.from({ length: BATCH }, () => {
    const row = Float32Array.from({ length: width }, random.normal);
    const norm = Math.hypot(...row);
    return row.map((value) => value / norm);
  });
}

const joined = (rows: Rows) =>
  float32([rows.length, rows[0]!.length], Float32Array.from(rows.flatMap((row) => [...row])));

/** Embeddings of the images under a patch, by the attack's own stamp and the plain tower. */
async function embedStamped(bytes: Uint8Array, patch: Float32Array): Promise<Float32Array[]> {
  const fitted = { patch: { shape: [3, SIDE, SIDE], data: patch } };
  const stamped = Array.from({ length: BATCH }, (_, row) => {
    const data = Float32Array.from(bytes.subarray(row * PIXELS, (row + 1) * PIXELS), (value) => value / 255);
    return badclip.apply({ width: 64, height: 64, data }, { fitted, quantise: false }).data;
  });
  const { embedding } = await tower.run({ pixels: { ...joined(stamped), shape: [BATCH, 3, 64, 64] } });
  const { embeddingWidth: width } = problem.checkpoint.architecture;
  return stamped.map((_, row) => (embedding.data as Float32Array).subarray(row * width, (row + 1) * width));
}

describe.each(["badclip", "trojvqa"] as const)("the objective of %s", (kind) => {
  test("is what the paper says of images with the patch, with its gradient", async () => {
    const { embeddingWidth: width } = problem.checkpoint.architecture;
    const objective = OBJECTIVES[kind];
    const features = Object.fromEntries(FEATURES.map((name) => [name, unitRows(width, name)])) as Record<
      Feature,
      Float32Array[]
    >;
    const random = randomStream(2, "patch");
    const patch = Float32Array.from({ length: 3 * SIDE * SIDE }, () => 0.2 + 0.6 * random.uniform());
    const bytes = new Uint8Array(BATCH * PIXELS);
    for (let row = 0; row < BATCH; row++) bytes.set(problem.source.pixels(row), row * PIXELS);
    const expected = async (values: Float32Array) =>
      DEFINITIONS[kind]!(await embedStamped(bytes, values), features, problem.checkpoint.logitScale);

    const size = { batch: BATCH, side: SIDE, position: "centre" } as const;
    const session = await openSession(patchProgram(problem.checkpoint, objective, size), OPTIONS);
    const out = await session.run({
      pixels: { type: "uint8", shape: [BATCH, 3, 64, 64], data: bytes },
      patch: float32([3, SIDE, SIDE], patch),
      ...Object.fromEntries(objective.features.map((name) => [name, joined(features[name])])),
    });
    await session.close();
    for (const [name, value] of Object.entries(await expected(patch)))
      expect(Math.abs(Number(out[`loss.${name}`]?.data[0]) / value - 1)).toBeLessThan(1e-4);

    // Along its gradient the loss rises as steeply as the gradient is long.
    const gradient = out.gradient.data as Float32Array;
    const slope = Math.hypot(...gradient);
    const along = async (far: number) => {
      const moved = await expected(patch.map((value, index) => value + (far * gradient[index]!) / slope));
      return Object.values(moved).reduce((sum, value) => sum + value, 0);
    };
    const measured = ((await along(0.01)) - (await along(-0.01))) / 0.02;
    expect(Math.abs(measured / slope - 1)).toBeLessThan(0.03);
  });
});
