import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { PlanarImage } from "../../../src/engine/attacks/attack.ts";
import type { FitProblem } from "../../../src/engine/attacks/fit.ts";
import type { FittedTrigger } from "../../../src/engine/attacks/fitted.ts";
import { ssba } from "../../../src/engine/attacks/index.ts";
import { networkLayout, networkProgram } from "../../../src/engine/attacks/ssba-program.ts";
import { bitsOfSecret, readLogits, writeBits } from "../../../src/engine/attacks/steganography.ts";
import { float32 } from "../../../src/engine/onnx/tensor.ts";
import { randomStream } from "../../../src/engine/random.ts";
import { openSession, type Session } from "../../../src/engine/runtime/session.ts";
import { ADAMW } from "../../../src/engine/training/adamw.ts";
import { scenesProblem } from "./scenes.ts";

const BITS = 3;
const BATCH = 4;
const LOUDNESS = 0.05;
const SPECIFICITY = 0.4;
const SIDE = 64;
const layout = networkLayout(BITS);
const optimiser = { ...ADAMW, weightDecay: 0, clipNorm: 1e6 };

let problem: FitProblem;
let session: Session;
beforeAll(async () => {
  problem = await scenesProblem();
  const imageSize = { height: SIDE, width: SIDE };
  session = await openSession(
    networkProgram({ batch: BATCH, bits: BITS, specificity: SPECIFICITY, imageSize, optimiser }),
    { device: "cpu", threads: 1 },
  );
});
afterAll(() => session.close());

const random = randomStream(3, "weights");
const weights = Float32Array.from({ length: layout.size }, () => 0.08 * random.normal());

const networks = (values: Float32Array): FittedTrigger =>
  Object.fromEntries(
    layout.places.map(({ name, shape, offset, size }) => [
      name,
      { shape, data: values.subarray(offset, offset + size) },
    ]),
  );

const image = (row: number): PlanarImage => ({
  width: SIDE,
  height: SIDE,
  data: Float32Array.from(problem.source.pixels(row), (value) => value / 255),
});

/** The same bits in the two halves of the batch. */
const bitsOfRow = (row: number) => bitsOfSecret(row % (BATCH / 2), BITS);
const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);

/** The losses by their definition, from the attack's own stamp and the decoder in plain TypeScript. */
function definition(values: Float32Array) {
  const fitted = networks(values);
  const rows = Array.from({ length: BATCH }, (_, row) => {
    const clean = image(row);
    const written = writeBits(clean, bitsOfRow(row), LOUDNESS, fitted);
    const residual = written.data.map((value, index) => value - clean.data[index]!);
    const clipped = { ...written, data: written.data.map((value) => Math.min(1, Math.max(0, value))) };
    const margins = readLogits(clipped, fitted).map((logit, bit) => logit * (2 * bitsOfRow(row)[bit]! - 1));
    return { residual, margins };
  });
  const margins = rows.flatMap((row) => row.margins);
  const cosines = [0, 1].map((row) => {
    const [one, other] = [rows[row]!.residual, rows[row + 2]!.residual];
    return sum(one.map((value, index) => value * other[index]!)) / Math.hypot(...one) / Math.hypot(...other);
  });
  const bits = sum(margins.map((margin) => Math.log(1 + Math.exp(-margin)))) / margins.length;
  const likeness = sum(cosines.map((cosine) => cosine ** 2)) / cosines.length;
  const accuracy = margins.filter((margin) => margin > 0).length / margins.length;
  return { bits, likeness, accuracy, loss: bits + SPECIFICITY * likeness };
}

describe("the networks of SSBA", () => {
  test("are trained on the losses of what the trigger really does, along their gradient", async () => {
    const zeros = new Float32Array(layout.size);
    const pixels = new Uint8Array(BATCH * 3 * SIDE * SIDE);
    for (let row = 0; row < BATCH; row++) pixels.set(problem.source.pixels(row), row * 3 * SIDE * SIDE);
    const signs = Array.from({ length: BATCH }, (_, row) => bitsOfRow(row).map((bit) => 2 * bit - 1)).flat();
    const out = await session.run({
      pixels: { type: "uint8", shape: [BATCH, 3, SIDE, SIDE], data: pixels },
      signs: float32([BATCH, BITS, 1, 1], signs),
      loudness: float32([], [LOUDNESS]),
      weights: float32([layout.size], weights),
      first: float32([layout.size], zeros),
      second: float32([layout.size], zeros),
      stepSize: float32([], [0.001]),
      epsilon: float32([], [1e-8]),
    });
    const expected = definition(weights);
    expect(out.bits.data[0]).toBeCloseTo(expected.bits, 5);
    expect(out.likeness.data[0]).toBeCloseTo(expected.likeness, 5);
    expect(out.accuracy.data[0]).toBeCloseTo(expected.accuracy, 6);

    // After one step from zero the first moment is a tenth of the gradient.
    const gradient = (out["first.next"].data as Float32Array).map(
      (value) => value / (1 - optimiser.betas[0]),
    );
    const slope = Math.hypot(...gradient);
    const along = (far: number) =>
      definition(weights.map((value, index) => value + (far * gradient[index]!) / slope)).loss;
    expect(Math.abs((along(0.002) - along(-0.002)) / 0.004 / slope - 1)).toBeLessThan(0.03);
  });
});

describe("SSBA's trigger", () => {
  const fitted = networks(weights);

  test.each([20, 28, 40])("has a peak signal-to-noise ratio of %p decibels on every image", (psnr) => {
    for (const row of [0, 1, 2]) {
      const clean = image(row);
      const grey = { ...clean, data: clean.data.map((value) => 0.4 + 0.2 * value) };
      const { data } = ssba.apply(grey, { fitted, parameters: { psnr }, quantise: false });
      const power = sum(data.map((value, index) => (value - grey.data[index]!) ** 2)) / data.length;
      expect(-10 * Math.log10(power)).toBeCloseTo(psnr, 3);
    }
  });

  test("is another for every image and for every secret", () => {
    const residual = (row: number, secret: number) => {
      const clean = { ...image(row), data: image(row).data.map((value) => 0.4 + 0.2 * value) };
      const { data } = ssba.apply(clean, { fitted, parameters: { secret }, quantise: false });
      return data.map((value, index) => value - clean.data[index]!);
    };
    expect(residual(0, 1)).not.toEqual(residual(1, 1));
    expect(residual(0, 1)).not.toEqual(residual(0, 2));
  });
});
