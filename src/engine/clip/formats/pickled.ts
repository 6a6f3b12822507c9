import { AppError } from "../../../errors.ts";
import { type PlainTensor, readPytorchFile } from "../../pickle/index.ts";
import type { ClipArchitecture } from "../architecture.ts";
import type { CheckpointFolder } from "../checkpoint-folder.ts";
import { expectedTensors } from "../expected-tensors.ts";
import { readLogitScale } from "../logit-scale.ts";
import type { Preprocessing } from "../preprocessing.ts";
import { type FiledTensor, gatherTensors, type TensorSource } from "../stored-weights.ts";
import { openTokenizer, tokenizerFiles } from "../tokenizer-files.ts";
import type { CheckpointFormat } from "./format.ts";
import {
  huggingFacePreprocessingFiles,
  readHuggingFacePreprocessing,
  readShardNames,
} from "./hugging-face.ts";
import { parseHuggingFaceArchitecture } from "./hugging-face-config.ts";
import { huggingFaceSource, isHuggingFaceBookkeeping } from "./hugging-face-tensors.ts";
import { INFERRED, inferOpenClipConfig } from "./inferred-config.ts";
import { isOpenClipBookkeeping, openClipSource } from "./open-clip.ts";
import { parseOpenClipArchitecture, parseOpenClipPreprocessing } from "./open-clip-config.ts";
import { filedTensor, stateOf, wrapperPrefix } from "./pickled-state.ts";

const OPEN_CLIP_CONFIG = "open_clip_config.json";
const HUGGING_FACE_CONFIG = "config.json";
const INDEX = "pytorch_model.bin.index.json";
/** In the order in which they are preferred to other pickles. */
const USUAL_NAMES = ["open_clip_pytorch_model.bin", "pytorch_model.bin"];

/** What a training run leaves beside its weights. */
const NOT_WEIGHTS = /^(training_args|optimizer|scheduler|scaler|rng_state)/;

/** A model saved by torch.save or torch.jit.save, read without running anything of it. */
export const pickled: CheckpointFormat = {
  name: "PyTorch",
  layout: `one .pt, .pth, .ckpt or .bin file (or ${INDEX} and its shards), a tokenizer, and unless the model is in OpenAI's layout its ${OPEN_CLIP_CONFIG} or ${HUGGING_FACE_CONFIG}`,
  recognises: (files) => files.includes(INDEX) || weightsAmong(files).length > 0,
  wanted: (files) => [
    ...configAmong(files),
    ...huggingFacePreprocessingFiles(files),
    ...tokenizerFiles(files),
    ...(isSharded(files) ? [INDEX, ...files.filter(isShard)] : weightsAmong(files)),
  ],
  read: async (folder) => {
    const weightFiles = await findWeights(folder);
    const weights = await readWeights(folder, weightFiles);
    const description = await describe(folder, weights);
    const { architecture } = description;
    const sourceOf = (name: string) => weights.source(description.sourceOf(name));
    const gathered = gatherTensors(folder, weights.filed, expectedTensors(architecture), sourceOf);
    return {
      architecture,
      tensors: gathered.tensors,
      unusedTensors: [...gathered.unusedKeys, ...weights.strided.keys()].filter(
        (key) => !isBookkeeping(key, weights.prefix),
      ),
      assumptions: description.assumptions,
      preprocessing: description.preprocessing,
      tokenizer: await openTokenizer(folder, architecture.text),
      logitScale: await readLogitScale(folder, weights.filed, `${weights.prefix}logit_scale`),
      weightFiles,
    };
  },
};

const isShard = (file: string): boolean => /^pytorch_model-\d+-of-\d+\.bin$/.test(file);

const isSharded = (files: readonly string[]): boolean =>
  files.includes(INDEX) && !USUAL_NAMES.some((name) => files.includes(name));

const configAmong = (files: readonly string[]): readonly string[] =>
  [OPEN_CLIP_CONFIG, HUGGING_FACE_CONFIG].filter((file) => files.includes(file)).slice(0, 1);

/** The file of weights; several where it is not clear which one they are. */
function weightsAmong(files: readonly string[]): readonly string[] {
  const usual = USUAL_NAMES.find((name) => files.includes(name));
  if (usual) return [usual];
  return files.filter(
    (file) => /^[^/]+\.(pt|pth|bin|ckpt)$/.test(file) && !isShard(file) && !NOT_WEIGHTS.test(file),
  );
}

async function findWeights(folder: CheckpointFolder): Promise<readonly string[]> {
  if (isSharded(folder.files)) return readShardNames(folder, INDEX);
  const files = weightsAmong(folder.files);
  if (files.length === 1) return files;
  const message = `The folder "${folder.name}" has several files that may be the weights: ${files.slice(0, 8).join(", ")}. Leave one of them there.`;
  throw new AppError("INVALID_CHECKPOINT", message, { folder: folder.name, files: files.slice(0, 8) });
}

/** The tensors of some files, by the names that the files give them. */
class Weights {
  /** What a wrapper put before the network's names. */
  readonly prefix: string;
  readonly filed = new Map<string, FiledTensor>();
  /** Views that cannot be read where they lie. */
  readonly strided = new Map<string, PlainTensor>();

  constructor(
    readonly file: string,
    states: ReadonlyMap<string, ReadonlyMap<string, PlainTensor>>,
  ) {
    for (const [within, state] of states) {
      for (const [name, tensor] of state) this.add(name, tensor, within);
    }
    this.prefix = wrapperPrefix([...this.filed.keys()], file);
  }

  has(name: string): boolean {
    return this.filed.has(this.prefix + name) || this.strided.has(this.prefix + name);
  }

  /** The same source, by the names that the files give. Throws INVALID_CHECKPOINT for a view. */
  source({ keys, ...rest }: TensorSource): TensorSource {
    const prefixed = keys.map((key) => this.prefix + key);
    const tensor = prefixed.find((key) => this.strided.has(key));
    if (tensor === undefined) return { keys: prefixed, ...rest };
    const { file, shape, strides } = this.strided.get(tensor)!;
    const message = `${file}: tensor "${tensor}" [${shape}] lies in the file with strides [${strides}]. Call .contiguous() on it, and save the state_dict again.`;
    throw new AppError("INVALID_CHECKPOINT", message, { file, tensor });
  }

  private add(name: string, tensor: PlainTensor, file: string): void {
    if (this.filed.has(name) || this.strided.has(name)) {
      const message = `${file}: tensor "${name}" is in another file too. Export the checkpoint again.`;
      throw new AppError("INVALID_CHECKPOINT", message, { file, tensor: name });
    }
    const filed = filedTensor(name, tensor, file);
    if (filed) this.filed.set(name, filed);
    else this.strided.set(name, tensor);
  }
}

async function readWeights(folder: CheckpointFolder, files: readonly string[]): Promise<Weights> {
  const states = new Map<string, ReadonlyMap<string, PlainTensor>>();
  for (const file of files) {
    const { root } = await readPytorchFile(`${folder.root}/${folder.locate(file)}`);
    states.set(file, stateOf(root, file));
  }
  return new Weights(files.join(", "), states);
}

/** What a configuration says of the weights, or what follows from them where there is none. */
interface Description {
  readonly architecture: ClipArchitecture;
  readonly preprocessing: Preprocessing;
  /** Where the network's tensors are, without a wrapper's prefix. */
  sourceOf(name: string): TensorSource;
  readonly assumptions?: readonly string[];
}

async function describe(folder: CheckpointFolder, weights: Weights): Promise<Description> {
  if (weights.has("vision_model.embeddings.class_embedding")) return describeHuggingFace(folder);
  const explicit = folder.has(OPEN_CLIP_CONFIG);
  const customText = weights.has("text.token_embedding.weight");
  const sourceOf = openClipSource(customText);
  const shapeOf = (name: string) => weights.filed.get(weights.prefix + sourceOf(name).keys[0])?.shape;
  const config = explicit
    ? await folder.readJson(OPEN_CLIP_CONFIG)
    : inferOpenClipConfig(shapeOf, weights.file);
  const architecture = parseOpenClipArchitecture(config);
  return {
    architecture,
    preprocessing: parseOpenClipPreprocessing(config, architecture.image.imageSize),
    sourceOf,
    ...(!explicit && { assumptions: [INFERRED] }),
  };
}

async function describeHuggingFace(folder: CheckpointFolder): Promise<Description> {
  const architecture = parseHuggingFaceArchitecture(await folder.readJson(HUGGING_FACE_CONFIG));
  const preprocessing = await readHuggingFacePreprocessing(folder, architecture.image.imageSize);
  return { architecture, preprocessing, sourceOf: huggingFaceSource };
}

/** Sizes that OpenAI stores as tensors, and the causal mask, which an archive has as an attribute. */
const CONSTANTS = /^(input_resolution|context_length|vocab_size|(.*\.)?attn_mask)$/;

function isBookkeeping(key: string, prefix: string): boolean {
  const name = key.startsWith(prefix) ? key.slice(prefix.length) : key;
  return isOpenClipBookkeeping(name) || isHuggingFaceBookkeeping(name) || CONSTANTS.test(name);
}
