import { dirname } from "node:path/posix";
import { AppError } from "../../../errors.ts";
import { GraphBuilder } from "../../onnx/builder.ts";
import type { ClipArchitecture, ImageSize } from "../architecture.ts";
import type { CheckpointFolder } from "../checkpoint-folder.ts";
import { configSection } from "../config-section.ts";
import { exportedTensors } from "../exported/exported-tensors.ts";
import { exportFiles, type OpenedExport, openExport } from "../exported/open-export.ts";
import { exportedTowers } from "../exported/towers.ts";
import type { ExportedTowers } from "../exported-towers.ts";
import { LARGEST_LOGIT_SCALE } from "../logit-scale.ts";
import type { Preprocessing } from "../preprocessing.ts";
import { openTokenizer, tokenizerFiles } from "../tokenizer-files.ts";
import type { CheckpointFormat } from "./format.ts";
import { huggingFacePreprocessingFiles, readHuggingFacePreprocessing } from "./hugging-face.ts";
import { parseHuggingFaceArchitecture } from "./hugging-face-config.ts";
import { parseOpenClipArchitecture, parseOpenClipPreprocessing } from "./open-clip-config.ts";

const CONFIG = "config.json";
const OPEN_CLIP_CONFIG = "open_clip_config.json";

const USUAL_SIDE = 224;
const USUAL_CONTEXT = 77;
const USUAL_SCALE = 100;

/**
 * ONNX exports: both towers in one `model.onnx`, or one in each of two files, beside what Hugging Face's library or
 * open_clip write about the model. The graphs take the place of the networks that the engine would build.
 */
export const huggingFaceOnnx: CheckpointFormat = {
  name: "ONNX",
  layout: "model.onnx, or vision_model.onnx and text_model.onnx, here or in onnx/, and a tokenizer",
  recognises: (files) => files.some((file) => file.endsWith(".onnx")),
  wanted: (files) => [
    ...[CONFIG, OPEN_CLIP_CONFIG].filter((file) => files.includes(file)),
    ...modelFiles(files),
    ...huggingFacePreprocessingFiles(files),
    ...tokenizerFiles(files),
  ],
  read: async (folder) => {
    const opened = openExport(folder);
    const described = await describe(folder, opened);
    checkFit(opened, described);
    const { architecture, preprocessing } = described;
    const tokenizer = await openTokenizer(folder, architecture.text);
    const exported = exportedTowers({ ...opened, endToken: () => tokenizer.endToken });
    // Building the tokenizer can wait: which id ends a text changes no shape.
    const embeddingWidth = tryTowers(exportedTowers({ ...opened, endToken: () => 1 }), architecture);
    return {
      architecture: { ...architecture, embeddingWidth },
      tensors: exportedTensors(opened),
      exported,
      unusedTensors: [],
      assumptions: described.assumptions,
      preprocessing,
      tokenizer,
      logitScale: described.logitScale,
      weightFiles: opened.files,
    };
  },
};

/** The exports that `read` would look into first, and the data beside them. */
function modelFiles(files: readonly string[]): readonly string[] {
  const [first, ...rest] = exportFiles(files);
  if (first === undefined) return [];
  const single = /(^|\/)model[^/]*\.onnx$/.test(first);
  const precise = rest.filter((file) => !/(fp16|float16|half)/i.test(file));
  const exports = single ? [first] : [first, ...(precise.length > 0 ? precise : rest)];
  return [...exports, ...files.filter((file) => exports.some((model) => mayHoldWeightsOf(model, file)))];
}

/** Files that come with models and hold no weights of an export. */
const OTHER_FILES =
  /\.(onnx|json|jsonl|txt|md|py|safetensors|pt|pth|ckpt|msgpack|h5|gz|png|jpe?g)$|(^|\/)(\.|(pytorch|tf|flax)_model)/;

/** Whether a file could be external data of an export; only the graph itself says for sure. */
function mayHoldWeightsOf(model: string, file: string): boolean {
  const named = /^(.*\.onnx)[._]/.exec(file)?.[1];
  if (named !== undefined) return named === model;
  return dirname(file) === dirname(model) && !OTHER_FILES.test(file);
}

interface Description {
  readonly architecture: ClipArchitecture;
  readonly preprocessing: Preprocessing;
  readonly logitScale: number;
  readonly assumptions: readonly string[];
}

/** What the configuration says, and the graphs where it does not. */
async function describe(folder: CheckpointFolder, opened: OpenedExport): Promise<Description> {
  const config = folder.has(CONFIG) ? await folder.readJson(CONFIG) : undefined;
  const scale = logitScaleOf(opened, config);
  if (folder.has(OPEN_CLIP_CONFIG)) {
    const json = await folder.readJson(OPEN_CLIP_CONFIG);
    const architecture = parseOpenClipArchitecture(json);
    return {
      ...scale,
      architecture,
      preprocessing: parseOpenClipPreprocessing(json, architecture.image.imageSize),
    };
  }
  const architecture = isClip(config)
    ? parseHuggingFaceArchitecture(config)
    : await fromGraphs(folder, opened);
  return {
    ...scale,
    architecture,
    preprocessing: await readHuggingFacePreprocessing(folder, architecture.image.imageSize),
  };
}

function isClip(config: unknown): boolean {
  return config !== undefined && configSection(config, CONFIG).text("model_type", "") === "clip";
}

async function fromGraphs(folder: CheckpointFolder, opened: OpenedExport): Promise<ClipArchitecture> {
  const { width, vocabulary, pooling, contextLength = USUAL_CONTEXT } = opened;
  const imageSize = opened.imageSize ??
    (await croppedSize(folder)) ?? { height: USUAL_SIDE, width: USUAL_SIDE };
  return {
    embeddingWidth: 1,
    image: { kind: "exported", imageSize },
    text: { kind: "exported", contextLength, vocabulary, width, pooling, paddingToken: 0, cleaning: "none" },
  };
}

/** The size that images are cut to, where the image processor says so. */
async function croppedSize(folder: CheckpointFolder): Promise<ImageSize | undefined> {
  const [file] = huggingFacePreprocessingFiles(folder.files);
  if (file !== "preprocessor_config.json") return undefined;
  const config = configSection(await folder.readJson(file), file);
  if (!config.has("crop_size")) return undefined;
  if (config.isObject("crop_size")) {
    const size = config.section("crop_size");
    return { height: size.count("height"), width: size.count("width") };
  }
  const side = config.count("crop_size");
  return { height: side, width: side };
}

function logitScaleOf(
  { logitScale }: OpenedExport,
  config: unknown,
): Pick<Description, "logitScale" | "assumptions"> {
  if (logitScale !== undefined) return { logitScale, assumptions: [] };
  const section = config === undefined ? undefined : configSection(config, CONFIG);
  if (section?.has("logit_scale_init_value")) {
    const value = Math.exp(section.ratio("logit_scale_init_value", Math.log(USUAL_SCALE)));
    if (!(value <= LARGEST_LOGIT_SCALE))
      throw section.invalid("logit_scale_init_value", `is beyond log ${LARGEST_LOGIT_SCALE}`);
    const assumption = `No graph has the logit scale; that of the start of training is taken, ${value.toFixed(2)}. Export both towers as one model to have the trained one.`;
    return { logitScale: value, assumptions: [assumption] };
  }
  const assumption = `Neither a graph nor ${CONFIG} has the logit scale; ${USUAL_SCALE} is taken, as CLIP's training ends with. Probabilities may be off, their order is not.`;
  return { logitScale: USUAL_SCALE, assumptions: [assumption] };
}

/** Where the graphs and the configuration both say something, it has to be the same. */
function checkFit(opened: OpenedExport, { architecture: { image, text } }: Description): void {
  const { imageSize, width, vocabulary } = opened;
  const fail = (file: string, what: string, found: string, expected: string): never => {
    const message = `${file} has ${what} ${found}, but the configuration beside it says ${expected}. They belong to different models.`;
    throw new AppError("INVALID_CHECKPOINT", message, { file });
  };
  const sides = (size: ImageSize): string => `${size.height} × ${size.width}`;
  if (imageSize && sides(imageSize) !== sides(image.imageSize))
    fail(opened.image.file, "images of", sides(imageSize), sides(image.imageSize));
  if (width !== text.width) fail(opened.text.file, "token vectors of", `${width}`, `${text.width}`);
  if (vocabulary !== text.vocabulary)
    fail(opened.text.file, "a vocabulary of", `${vocabulary}`, `${text.vocabulary}`);
}

/** Brings both towers into a graph, so that what is wrong with them shows here; returns the width of embeddings. */
function tryTowers(exported: ExportedTowers, { image, text }: ClipArchitecture): number {
  const g = new GraphBuilder();
  const { height, width } = image.imageSize;
  const images = exported.image(g, g.input("images", [2, 3, height, width]));
  const length = Math.min(text.contextLength, 4);
  const texts = exported.text(g, g.input("tokens", [2, length, text.width]), g.input("end", [2, length, 1]));
  const [imageWidth, textWidth] = [images.shape[1], texts.shape[1]];
  if (imageWidth === textWidth) return imageWidth;
  const message = `The image tower gives embeddings of ${imageWidth} and the text tower of ${textWidth}: they belong to different models, or one lacks its projection.`;
  throw new AppError("INVALID_CHECKPOINT", message, { image: imageWidth, text: textWidth });
}
