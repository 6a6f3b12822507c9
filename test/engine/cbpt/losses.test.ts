import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { gradients } from "../../../src/engine/autodiff/gradients.ts";
import {
  alignment,
  crossEntropy,
  drift,
  similarityLogits,
  triggerContrast,
  unlearning,
} from "../../../src/engine/cbpt/losses.ts";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import type { Wire } from "../../../src/engine/onnx/graph.ts";
import { float32 } from "../../../src/engine/onnx/tensor.ts";
import { openSession } from "../../../src/engine/runtime/session.ts";

type Numbers = Readonly<Record<string, number[]>>;
/** What test/fixtures/cbpt/make.py computes in PyTorch. */
const golden = JSON.parse(
  readFileSync(join(__dirname, "../../fixtures/cbpt/losses.json"), "utf8"),
) as Numbers & {
  readonly [size in "rows" | "classes" | "width" | "scale" | "temperature"]: number;
} & { readonly losses: Readonly<Record<Loss, number>>; readonly gradients: Readonly<Record<Loss, number[]>> };

const { rows, classes, width, scale, temperature } = golden;
const SHAPES = {
  text: [classes, width],
  feature: [rows, width],
  clean: [rows, width],
  dummy: [rows, width],
  positive: [rows, width],
  undefended: [classes, width],
  anchors: [classes, 1],
  labels: [rows, classes],
  suspects: [rows, classes],
} as const;

type Inputs = Record<keyof typeof SHAPES, Wire>;
type Loss = "unlearning" | "alignment" | "crossEntropy" | "drift" | "triggerContrast";

const logits = (g: GraphBuilder, image: Wire, { text }: Inputs) => similarityLogits(g, image, text, scale);

const LOSSES: Record<Loss, (g: GraphBuilder, x: Inputs) => Wire> = {
  unlearning: (g, x) => unlearning(g, logits(g, x.dummy, x), x.labels, x.suspects),
  alignment: (g, x) => alignment(g, logits(g, x.clean, x), logits(g, x.dummy, x), x.labels),
  crossEntropy: (g, x) => crossEntropy(g, logits(g, x.clean, x), x.labels),
  drift: (g, x) => drift(g, x.text, x.undefended, x.anchors),
  triggerContrast: (g, x) => triggerContrast(g, x.feature, x.positive, x.clean, temperature),
};

async function compute(name: Loss, feeds: Partial<Record<keyof typeof SHAPES, number[]>> = {}) {
  const g = new GraphBuilder();
  const inputs = Object.fromEntries(
    Object.entries(SHAPES).map(([input, shape]) => [input, g.input(input, shape)]),
  ) as Inputs;
  const loss = LOSSES[name](g, inputs);
  const [gradient] = gradients(g, loss, [name === "triggerContrast" ? inputs.feature : inputs.text]);
  g.output(loss, "loss");
  g.output(gradient, "gradient");
  const session = await openSession({ graph: g.build(), folder: "." }, { device: "cpu", threads: 1 });
  const tensors = Object.entries(SHAPES).map(([input, shape]) => {
    const key = input as keyof typeof SHAPES;
    return [input, float32(shape, feeds[key] ?? golden[key])];
  });
  const outputs = await session.run(Object.fromEntries(tensors));
  await session.close();
  return { loss: Number(outputs.loss.data[0]), gradient: Array.from(outputs.gradient.data, Number) };
}

describe("the losses", () => {
  test.each(Object.keys(LOSSES) as Loss[])("%s and its gradient are PyTorch's", async (name) => {
    const { loss, gradient } = await compute(name);
    expect(loss).toBeCloseTo(golden.losses[name], 4);
    gradient.forEach((value, index) => {
      expect(value).toBeCloseTo(golden.gradients[name][index], 3);
    });
  });

  test("unlearning stays finite where the suspected class has all the probability", async () => {
    const text = new Array(classes * width).fill(0);
    text[2 * width] = 100;
    const dummy = golden.dummy.map((_, index) => (index % width === 0 ? 1 : 0));
    const { loss, gradient } = await compute("unlearning", { text, dummy });
    expect(loss).toBeGreaterThan(100);
    expect(gradient.every(Number.isFinite)).toBe(true);
  });
});
