import { expectedTensors } from "../expected-tensors.ts";
import { readLogitScale } from "../logit-scale.ts";
import { gatherTensors, readTensors, type TensorSource } from "../stored-weights.ts";
import { openTokenizer, tokenizerFiles } from "../tokenizer-files.ts";
import type { CheckpointFormat } from "./format.ts";
import { parseOpenClipArchitecture, parseOpenClipPreprocessing } from "./open-clip-config.ts";

const CONFIG = "open_clip_config.json";
const WEIGHTS = "open_clip_model.safetensors";

/** What open_clip's `push_to_hf_hub` writes, and OpenCLIP models on the Hub are. */
export const openClip: CheckpointFormat = {
  name: "open_clip",
  layout: `${CONFIG}, ${WEIGHTS} and a tokenizer`,
  recognises: (files) => [CONFIG, WEIGHTS].every((file) => files.includes(file)),
  wanted: (files) => [CONFIG, WEIGHTS, ...tokenizerFiles(files)],
  read: async (folder) => {
    const config = await folder.readJson(CONFIG);
    const architecture = parseOpenClipArchitecture(config);
    const filed = await readTensors(folder, [WEIGHTS]);
    const sourceOf = openClipSource(filed.has("text.token_embedding.weight"));
    const gathered = gatherTensors(folder, filed, expectedTensors(architecture), sourceOf);
    return {
      architecture,
      tensors: gathered.tensors,
      unusedTensors: gathered.unusedKeys.filter((key) => !isOpenClipBookkeeping(key)),
      preprocessing: parseOpenClipPreprocessing(config, architecture.image.imageSize),
      tokenizer: await openTokenizer(folder, architecture.text),
      logitScale: await readLogitScale(folder, filed),
      weightFiles: [WEIGHTS],
    };
  },
};

/** The names are the network's own, but for a "text." where the model was made with a custom text class. */
export function openClipSource(customText: boolean): (name: string) => TensorSource {
  return (name) => ({ keys: [customText && !name.startsWith("visual.") ? `text.${name}` : name] });
}

/** Tensors that open_clip stores and inference does not need. */
export function isOpenClipBookkeeping(name: string): boolean {
  return name === "logit_scale" || name === "logit_bias" || name.endsWith(".num_batches_tracked");
}
