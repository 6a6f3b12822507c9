import { AppError } from "../../../errors.ts";
import type { ImageSize } from "../architecture.ts";
import type { CheckpointFolder } from "../checkpoint-folder.ts";
import { configSection } from "../config-section.ts";
import { expectedTensors } from "../expected-tensors.ts";
import { readLogitScale } from "../logit-scale.ts";
import type { Preprocessing } from "../preprocessing.ts";
import { gatherTensors, readTensors } from "../stored-weights.ts";
import { openTokenizer, tokenizerFiles } from "../tokenizer-files.ts";
import type { CheckpointFormat } from "./format.ts";
import { parseHuggingFaceArchitecture } from "./hugging-face-config.ts";
import { parseHuggingFacePreprocessing } from "./hugging-face-preprocessing.ts";
import { huggingFaceSource, isHuggingFaceBookkeeping } from "./hugging-face-tensors.ts";

const CONFIG = "config.json";
const WEIGHTS = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const PREPROCESSOR = "preprocessor_config.json";
/** Newer versions of the library put the image processor in here. */
const PROCESSOR = "processor_config.json";

/** A `CLIPModel` as Hugging Face's library saves it, in one file of weights or in shards. */
export const huggingFace: CheckpointFormat = {
  name: "Hugging Face",
  layout: `${CONFIG}, ${WEIGHTS} (or ${INDEX} and its shards) and a tokenizer`,
  recognises: (files) => files.includes(CONFIG) && (files.includes(WEIGHTS) || files.includes(INDEX)),
  wanted: (files) => {
    const shards = files.filter((file) => /^model-\d+-of-\d+\.safetensors$/.test(file));
    const weights = files.includes(WEIGHTS) ? [WEIGHTS] : [INDEX, ...shards];
    return [CONFIG, ...weights, ...huggingFacePreprocessingFiles(files), ...tokenizerFiles(files)];
  },
  read: async (folder) => {
    const architecture = parseHuggingFaceArchitecture(await folder.readJson(CONFIG));
    const weightFiles = folder.has(WEIGHTS) ? [WEIGHTS] : await readShardNames(folder, INDEX);
    const filed = await readTensors(folder, weightFiles);
    const gathered = gatherTensors(folder, filed, expectedTensors(architecture), huggingFaceSource);
    return {
      architecture,
      tensors: gathered.tensors,
      unusedTensors: gathered.unusedKeys.filter((key) => !isHuggingFaceBookkeeping(key)),
      preprocessing: await readHuggingFacePreprocessing(folder, architecture.image.imageSize),
      tokenizer: await openTokenizer(folder, architecture.text),
      logitScale: await readLogitScale(folder, filed),
      weightFiles,
    };
  },
};

/** The files of a listing that say how images are prepared. */
export function huggingFacePreprocessingFiles(files: readonly string[]): readonly string[] {
  return [PREPROCESSOR, PROCESSOR].filter((file) => files.includes(file)).slice(0, 1);
}

/** How images are prepared; as CLIP's are where the folder does not say. */
export async function readHuggingFacePreprocessing(
  folder: CheckpointFolder,
  size: ImageSize,
): Promise<Preprocessing> {
  const [file] = huggingFacePreprocessingFiles(folder.files);
  if (file === undefined) return parseHuggingFacePreprocessing({}, size, PREPROCESSOR);
  const json = await folder.readJson(file);
  if (file === PREPROCESSOR) return parseHuggingFacePreprocessing(json, size, file);
  const processor = configSection(json, file);
  const inner = processor.has("image_processor") ? processor.section("image_processor").all() : {};
  return parseHuggingFacePreprocessing(inner, size, file);
}

/** The files that an index names, each once. Throws INVALID_CHECKPOINT naming the index. */
export async function readShardNames(folder: CheckpointFolder, index: string): Promise<string[]> {
  const map = configSection(await folder.readJson(index), index)
    .section("weight_map")
    .all();
  const names = [...new Set(Object.values(map))];
  if (names.length > 0 && names.every((name) => typeof name === "string")) return names.sort();
  const message = `${index}: weight_map must name a file for each tensor.`;
  throw new AppError("INVALID_CHECKPOINT", message, { file: index, key: "weight_map" });
}
