import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { gradients } from "../../../src/engine/autodiff/gradients.ts";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { readFloats, readRange, readSafetensors } from "../../../src/engine/clip/safetensors.ts";
import { imageEmbedding, textEmbedding } from "../../../src/engine/clip/towers.ts";
import { checkpointWeights } from "../../../src/engine/clip/weights.ts";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import { float32, int64, type Tensor } from "../../../src/engine/onnx/tensor.ts";
import type { Program } from "../../../src/engine/runtime/program.ts";
import { openSession } from "../../../src/engine/runtime/session.ts";

interface Summary {
  readonly norm: number;
  readonly product: number;
}

const FIXTURES = join(__dirname, "../../fixtures");
const golden: Record<string, Record<string, Summary>> = JSON.parse(
  readFileSync(join(FIXTURES, "autodiff/weight-gradients.json"), "utf8"),
);

/** The image pixels, token ids and labels that the golden gradients were computed with. */
async function readSample(model: string): Promise<{ pixels: number[]; ids: bigint[]; labels: number[] }> {
  const file = await readSafetensors(join(FIXTURES, "clip", model, "golden.safetensors"));
  const integers = async (name: string): Promise<bigint[]> => {
    const { offset, length } = file.tensors.get(name)!;
    const bytes = await readRange(file.path, offset, length);
    return [...new BigInt64Array(bytes.slice().buffer)];
  };
  const pixels = [...(await readFloats(file, "pixels"))];
  return { pixels, ids: await integers("token_ids"), labels: (await integers("labels")).map(Number) };
}

/** CE(s · f(x) · Tᵀ, labels) for two images and three prompts, with its gradient by every named weight. */
function program(
  checkpoint: Checkpoint,
  ids: readonly bigint[],
  labels: readonly number[],
  names: string[],
): Program {
  const g = new GraphBuilder({ name: "cross entropy" });
  const { image, text } = checkpoint.architecture;
  const { height, width } = image.imageSize;
  const weights = checkpointWeights(g, checkpoint);
  const table = weights("token_embedding.weight");
  const length = text.contextLength;
  const tokens = g.gather(table, g.constant(int64([3, length], BigInt64Array.from(ids))));
  const last = [0, 1, 2].map((row) => ids.indexOf(BigInt(checkpoint.tokenizer.endToken), row * length));
  const marks = Array.from({ length: 3 * length }, (_, position) => Number(last.includes(position)));
  const texts = textEmbedding(g, checkpoint, tokens, g.constant(float32([3, length, 1], marks)));
  const images = imageEmbedding(g, checkpoint, g.input("pixels", [2, 3, height, width]));
  const scores = g.logSoftmax(g.mul(g.matmul(images, g.transpose(texts)), checkpoint.logitScale));
  const chosen = labels.flatMap((label) =>
    [0, 1, 2].map((index) => Number(index === label) / -labels.length),
  );
  const loss = g.reduceSum(g.mul(scores, g.constant(float32([2, 3], chosen))));
  const byWeights = gradients(g, loss, names.map(weights));
  byWeights.forEach((gradient, index) => void g.output(gradient, `gradient of ${names[index]}`));
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}

function summarise({ data }: Tensor): Summary {
  const values = Array.from(data as Float32Array);
  const sum = (term: (value: number, index: number) => number): number =>
    values.reduce((total, value, index) => total + term(value, index), 0);
  return {
    norm: Math.sqrt(sum((value) => value * value)),
    product: sum((value, index) => value * Math.cos(0.7 * index + 0.3)),
  };
}

describe.each(["resnet", "vit"])("the gradients of %s by its weights", (model) => {
  test("are PyTorch's, for every weight of both towers", async () => {
    const checkpoint = await openCheckpoint(join(FIXTURES, "clip", model));
    const { pixels, ids, labels } = await readSample(model);
    // PyTorch says "text." before the text tower's names where the model has a text class of its own.
    const expected = Object.entries(golden[model]).map(
      ([name, summary]) => [name.replace(/^text\./, ""), summary] as const,
    );
    const names = expected.map(([name]) => name);
    expect(names.length).toBeGreaterThan(40);
    const session = await openSession(program(checkpoint, ids, labels, names), { device: "cpu", threads: 1 });
    const { height, width } = checkpoint.architecture.image.imageSize;
    const results = await session.run({ pixels: float32([2, 3, height, width], pixels) });
    await session.close();
    const largest = Math.max(...expected.map(([, { norm }]) => norm));
    const errors = expected.map(([name, wanted]) => {
      const gradient = results[`gradient of ${name}`];
      expect(gradient.shape).toEqual(checkpoint.tensors.get(name)?.shape);
      const actual = summarise(gradient);
      // A gradient that is zero but for rounding, as that of a key's bias, has no direction to compare.
      const scale = Math.max(wanted.norm, 1e-4 * largest);
      const product = Math.abs(actual.product - wanted.product) / Math.sqrt(gradient.data.length / 2);
      return Math.max(Math.abs(actual.norm - wanted.norm), product) / scale;
    });
    expect(Math.max(...errors)).toBeLessThan(1e-4);
  });
});
