import { readFile } from "node:fs/promises";
import { packageRoot } from "../../src/config.ts";
import {
  parseOpenClipArchitecture,
  parseOpenClipPreprocessing,
} from "../../src/engine/clip/formats/open-clip-config.ts";
import { type ClipTokenizer, createTokenizer } from "../../src/engine/clip/tokenizer.ts";
import type { TowerModel } from "../../src/engine/clip/towers.ts";
import { SCENE_SIDE } from "./scene.ts";

/** The small CLIP of scenes before it is trained, and the files that it will be written with. */
export interface SceneModel extends TowerModel {
  readonly tokenizer: ClipTokenizer;
  readonly files: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

const MEAN = [0.48145466, 0.4578275, 0.40821073];
const STD = [0.26862954, 0.26130258, 0.27577711];
const CONTEXT_LENGTH = 24;

/** A ModifiedResNet of width 16 and a text transformer of width 128: 2.4 million weights. */
export async function sceneModel(): Promise<SceneModel> {
  const path = `${packageRoot}/zoo/tokenizer.json`;
  const bytes = await readFile(path);
  const definition = JSON.parse(bytes.toString());
  const config = configuration(Object.keys(definition.model.vocab).length);
  const architecture = parseOpenClipArchitecture(config);
  return {
    architecture,
    preprocessing: parseOpenClipPreprocessing(config, architecture.image.imageSize),
    tokenizer: createTokenizer(definition, architecture.text),
    files: [
      { name: "open_clip_config.json", bytes: jsonBytes(config) },
      { name: "tokenizer.json", bytes },
      { name: "tokenizer_config.json", bytes: jsonBytes(TOKENIZER_SETTINGS) },
    ],
  };
}

/** A JSON file for people to read as well. */
export const jsonBytes = (value: unknown): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);

function configuration(vocabulary: number) {
  return {
    model_cfg: {
      embed_dim: 128,
      vision_cfg: { image_size: SCENE_SIDE, layers: [2, 2, 2, 2], width: 16, head_width: 64 },
      text_cfg: {
        context_length: CONTEXT_LENGTH,
        vocab_size: vocabulary,
        width: 128,
        heads: 4,
        layers: 3,
        hf_tokenizer_name: "antidote-zoo",
      },
    },
    preprocess_cfg: { mean: MEAN, std: STD, interpolation: "bicubic", resize_mode: "shortest" },
  };
}

/** With which transformers, and so open_clip, find their way. */
const TOKENIZER_SETTINGS = {
  tokenizer_class: "PreTrainedTokenizerFast",
  bos_token: "<start_of_text>",
  eos_token: "<end_of_text>",
  pad_token: "<pad>",
  unk_token: "<unk>",
  model_max_length: CONTEXT_LENGTH,
  clean_up_tokenization_spaces: false,
};
