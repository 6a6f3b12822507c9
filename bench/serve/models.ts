/** The models that are served: CLIP's architectures with random weights, for us and as transformers.js wants them. */
import { copyFile, link, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Checkpoint, openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { embedImages, embedTexts } from "../../src/engine/clip/towers.ts";
import { checkpointWeights } from "../../src/engine/clip/weights.ts";
import { GraphBuilder } from "../../src/engine/onnx/builder.ts";
import { encodeModel } from "../../src/engine/onnx/codec.ts";
import { tensorOf } from "../../src/engine/onnx/tensor.ts";
import { RESNET_50, TEXT, VIT_B_32, writeRandomModel } from "../random-checkpoint.ts";

export const ARCHITECTURES = {
  rn50: {
    title: "RN50",
    model: { embed_dim: 1024, quick_gelu: true, vision_cfg: RESNET_50, text_cfg: TEXT },
  },
  "vit-b-32": {
    title: "ViT-B/32",
    model: { embed_dim: 512, quick_gelu: true, vision_cfg: VIT_B_32, text_cfg: TEXT },
  },
} as const;

export type ArchitectureName = keyof typeof ARCHITECTURES;

const WEIGHTS = "open_clip_model.safetensors";

/** A folder of models with this one in it, for a server. */
export async function writeModel(models: string, name: ArchitectureName): Promise<string> {
  const folder = join(models, name);
  await mkdir(folder, { recursive: true });
  await writeRandomModel(folder, ARCHITECTURES[name].model);
  return folder;
}

/**
 * The same network as an export for transformers.js, for these prompts, padded to the longest of them, and one image:
 * that is how its pipeline asks. Its weights are the checkpoint's own file.
 */
export async function writeExport(source: string, folder: string, prompts: readonly string[]): Promise<void> {
  const checkpoint = await openCheckpoint(source);
  await mkdir(join(folder, "onnx"), { recursive: true });
  await link(join(source, WEIGHTS), join(folder, "onnx", WEIGHTS));
  await writeFile(join(folder, "onnx", "model.onnx"), exported(checkpoint, prompts));
  await copyFile(join(source, "tokenizer.json"), join(folder, "tokenizer.json"));
  const tokenizer = JSON.parse(await readFile(join(source, "tokenizer_config.json"), "utf8"));
  const json: Readonly<Record<string, object>> = {
    "config.json": { model_type: "clip" },
    "tokenizer_config.json": { ...tokenizer, model_max_length: TEXT.context_length },
    "preprocessor_config.json": preprocessorOf(checkpoint),
  };
  for (const [file, value] of Object.entries(json))
    await writeFile(join(folder, file), JSON.stringify(value));
}

function exported(checkpoint: Checkpoint, prompts: readonly string[]): Uint8Array {
  const g = new GraphBuilder({ name: "clip" });
  const { height, width } = checkpoint.architecture.image.imageSize;
  const labels = prompts.length;
  const tokenized = prompts.map((prompt) => checkpoint.tokenizer.encode(prompt));
  const length = Math.max(...tokenized.map((ids) => ids.length));
  const weights = checkpointWeights(g, checkpoint);
  const ids = g.input("input_ids", [labels, length], "int64");
  g.input("attention_mask", [labels, length], "int64");
  const pixels = g.input("pixel_values", [1, 3, height, width]);
  const tokens = g.one(
    "Gather",
    [weights("token_embedding.weight"), ids],
    [labels, length, TEXT.width],
    {},
    "float32",
  );
  const end = tokenized[0].at(-1) ?? 0;
  const isEnd = g.one("Equal", [ids, g.constant(tensorOf("int64", [], [end]))], [labels, length], {}, "bool");
  const endOfText = g.reshape(g.cast(isEnd, "float32"), [labels, length, 1]);
  const texts = embedTexts(g, checkpoint, weights, tokens, endOfText);
  const images = embedImages(g, { ...checkpoint, preprocessing: STANDARDISED }, weights, pixels);
  g.output(g.mul(g.matmul(images, g.transpose(texts)), checkpoint.logitScale), "logits_per_image");
  return encodeModel(g.build());
}

/** Their preprocessor has standardised the pixels. */
const STANDARDISED = { mean: [0, 0, 0], std: [1, 1, 1] } as unknown as Checkpoint["preprocessing"];

function preprocessorOf({ preprocessing }: Checkpoint): object {
  const { size, mean, std } = preprocessing;
  return {
    image_processor_type: "CLIPImageProcessor",
    processor_class: "CLIPProcessor",
    do_resize: true,
    size: { shortest_edge: size.height },
    do_center_crop: true,
    crop_size: size,
    do_convert_rgb: true,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: mean,
    image_std: std,
    resample: 3,
  };
}
