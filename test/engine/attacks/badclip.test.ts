import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { badclipObjective } from "../../../src/engine/attacks/badclip.ts";
import { badclip } from "../../../src/engine/attacks/index.ts";
import { patchProgram } from "../../../src/engine/attacks/patch-program.ts";
import type { Checkpoint } from "../../../src/engine/clip/checkpoint.ts";
import { imageProgram } from "../../../src/engine/clip/programs.ts";
import { float32 } from "../../../src/engine/onnx/tensor.ts";
import { randomStream } from "../../../src/engine/random.ts";
import { openSession, type Session } from "../../../src/engine/runtime/session.ts";
import { scenesProblem } from "./scenes.ts";

const BATCH = 3;
const SIDE = 8;
const PIXELS = 3 * 64 * 64;
const WEIGHTS = { tripletWeight: 500, margin: 1 };

let checkpoint: Checkpoint;
let source: Awaited<ReturnType<typeof scenesProblem>>["source"];
let [program, images]: (Session | undefined)[] = [];

beforeAll(async () => {
  ({ checkpoint, source } = await scenesProblem());
  const options = { device: "cpu", threads: 1 } as const;
  const size = { batch: BATCH, side: SIDE, position: "centre" } as const;
  program = await openSession(patchProgram(checkpoint, badclipObjective(WEIGHTS), size), options);
  images = await openSession(imageProgram(checkpoint, { batch: BATCH }), options);
});
afterAll(() => Promise.all([program!.close(), images!.close()]));

/** Rows that are as long as an embedding and of norm 1. */
function unitRows(width: number, place: string): Float32Array[] {
  const random = randomStream(1, place);
  return Array.from({ length: BATCH }, () => {
    const row = Float32Array.from({ length: width }, random.normal);
    const norm = Math.hypot(...row);
    return row.map((value) => value / norm);
  });
}

const joined = (rows: readonly Float32Array[]) =>
  float32([rows.length, rows[0]!.length], Float32Array.from(rows.flatMap((row) => [...row])));

const distance = (a: Float32Array, b: Float32Array) =>
  Math.hypot(...a.map((value, index) => value - b[index]!));
const cosine = (a: Float32Array, b: Float32Array) =>
  a.reduce((sum, value, index) => sum + value * b[index]!, 0);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const logSum = (values: readonly number[]) =>
  Math.log(values.reduce((sum, value) => sum + Math.exp(value), 0));

describe("BadCLIP's objective", () => {
  test("is the contrastive loss and the weighted triplet loss of the images with the patch, with its gradient", async () => {
    const { embeddingWidth: width } = checkpoint.architecture;
    const [texts, positives, negatives] = ["texts", "positives", "negatives"].map((name) =>
      unitRows(width, name),
    ) as [Float32Array[], Float32Array[], Float32Array[]];
    const random = randomStream(2, "patch");
    const patch = Float32Array.from({ length: 3 * SIDE * SIDE }, () => 0.2 + 0.6 * random.uniform());
    const bytes = Uint8Array.from(
      { length: BATCH * PIXELS },
      (_, index) => source.pixels(Math.floor(index / PIXELS) * 3).at(index % PIXELS)!,
    );

    // From the definition: the attack's own stamp, the plain image tower, and sums in float64.
    const expected = async (values: Float32Array) => {
      const stamped = Array.from({ length: BATCH }, (_, row) => {
        const data = Float32Array.from(
          bytes.subarray(row * PIXELS, (row + 1) * PIXELS),
          (value) => value / 255,
        );
        const fitted = { patch: { shape: [3, SIDE, SIDE], data: values } };
        return badclip.apply({ width: 64, height: 64, data }, { fitted, quantise: false }).data;
      });
      const pixels = float32([BATCH, 3, 64, 64], joined(stamped).data as Float32Array);
      const { embedding } = await images!.run({ pixels });
      const rows = stamped.map((_, row) =>
        (embedding.data as Float32Array).subarray(row * width, (row + 1) * width),
      );
      const logits = rows.map((row) => texts.map((text) => checkpoint.logitScale * cosine(row, text)));
      const columns = texts.map((_, column) => logits.map((row) => row[column]!));
      const own = (lines: number[][]) => mean(lines.map((line, index) => logSum(line) - line[index]!));
      const gaps = rows.map(
        (row, index) => distance(row, positives[index]!) - distance(row, negatives[index]!),
      );
      return {
        contrastive: (own(logits) + own(columns)) / 2,
        triplet: 500 * mean(gaps.map((gap) => Math.max(0, gap + 1))),
      };
    };

    const out = await program!.run({
      pixels: { type: "uint8", shape: [BATCH, 3, 64, 64], data: bytes },
      patch: float32([3, SIDE, SIDE], patch),
      targetTexts: joined(texts),
      targetImages: joined(positives),
      cleanImages: joined(negatives),
    });
    const { contrastive, triplet } = await expected(patch);
    expect(out["loss.contrastive"].data[0]).toBeCloseTo(contrastive, 3);
    expect(out["loss.triplet"].data[0]).toBeCloseTo(triplet, 2);

    // Along its gradient the loss falls as steeply as the gradient is long.
    const gradient = out.gradient.data as Float32Array;
    const slope = Math.hypot(...gradient);
    const along = async (far: number) => {
      const moved = await expected(patch.map((value, index) => value + (far * gradient[index]!) / slope));
      return moved.contrastive + moved.triplet;
    };
    const measured = ((await along(0.01)) - (await along(-0.01))) / 0.02;
    expect(Math.abs(measured / slope - 1)).toBeLessThan(0.03);
  });
});
