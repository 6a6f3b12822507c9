/** Checkpoints of CLIP's architectures with random weights, for measurements that need no trained ones. */
import { copyFile, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ClipArchitecture } from "../src/engine/clip/architecture.ts";
import type { Checkpoint } from "../src/engine/clip/checkpoint.ts";
import { expectedTensors } from "../src/engine/clip/expected-tensors.ts";
import { parseOpenClipArchitecture } from "../src/engine/clip/formats/open-clip-config.ts";
import type { StoredTensor } from "../src/engine/clip/stored-tensor.ts";
import type { ExpectedTensor } from "../src/engine/clip/weights.ts";
import type { Shape } from "../src/engine/onnx/graph.ts";
import { sizeOf } from "../src/engine/onnx/tensor.ts";

export const TEXT = { context_length: 77, vocab_size: 1000, width: 512, heads: 8, layers: 12 };
/** The text tower with its whole vocabulary, as in the checkpoints that people have. */
export const WHOLE_TEXT = { ...TEXT, vocab_size: 49408 };
export const RESNET_50 = { image_size: 224, layers: [3, 4, 6, 3], width: 64 };
export const VIT_B_32 = { image_size: 224, layers: 12, width: 768, patch_size: 32 };

/** Park and Miller's generator, spread over (−1, 1). */
export function noise(length: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length }, () => {
    state = (state * 48271) % 2147483647;
    return (2 * state) / 2147483647 - 1;
  });
}

/** Random matrices that keep the size of what passes; identity normalisations. */
function weightValues(name: string, shape: Shape, random: Float32Array): Float32Array {
  const size = sizeOf(shape);
  if (name === "logit_scale") return Float32Array.of(Math.log(100));
  if (shape.length < 2) return new Float32Array(size).fill(/weight|running_var/.test(name) ? 1 : 0);
  const gain = Math.sqrt((3 * shape[0]) / size);
  return new Float32Array(size).map((_, index) => gain * random[index % random.length]);
}

/** The bundled checkpoint with another architecture, its weights written to a file of the folder. */
export async function randomCheckpoint(
  base: Checkpoint,
  architecture: ClipArchitecture,
  folder: string,
): Promise<Checkpoint> {
  const weightsFile = "random.bin";
  const random = noise(65_537);
  const tensors = new Map<string, StoredTensor>();
  const file = await open(join(folder, weightsFile), "w");
  let offset = 0;
  for (const [name, shape] of expectedTensors(architecture)) {
    const values = weightValues(name, shape, random);
    await file.write(values);
    const part = { file: weightsFile, offset, length: values.byteLength, shape };
    tensors.set(name, { name, dtype: "F32", shape, parts: [part] });
    offset += values.byteLength;
  }
  await file.close();
  return { ...base, folder, weightsFolder: folder, architecture, tensors };
}

/** An open_clip folder with random weights and the bundled tokenizer, for what begins with a folder. */
export async function writeRandomModel(folder: string, model: object): Promise<void> {
  const zoo = fileURLToPath(new URL("../../zoo/models/scenes-clean", import.meta.url));
  for (const file of ["tokenizer.json", "tokenizer_config.json"])
    await copyFile(join(zoo, file), join(folder, file));
  await writeFile(join(folder, "open_clip_config.json"), JSON.stringify({ model_cfg: model }));
  const tensors: ExpectedTensor[] = [
    ...expectedTensors(parseOpenClipArchitecture(model)),
    ["logit_scale", []],
  ];
  const random = noise(65_537);
  const file = await open(join(folder, "open_clip_model.safetensors"), "w");
  await file.write(headerOf(tensors));
  for (const [name, shape] of tensors) await file.write(weightValues(name, shape, random));
  await file.close();
}

/** Eight bytes of length, and the JSON that says where each float32 tensor lies. */
function headerOf(tensors: readonly ExpectedTensor[]): Buffer {
  let end = 0;
  const entries = tensors.map(([name, shape]) => {
    const begin = end;
    end += 4 * sizeOf(shape);
    return [name, { dtype: "F32", shape, data_offsets: [begin, end] }];
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json]);
}
