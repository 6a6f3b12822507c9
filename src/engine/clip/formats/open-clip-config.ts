import type {
  ActivationName,
  BuiltArchitecture,
  ImagePooling,
  ImageSize,
  ResNetTower,
  TextCleaning,
  TextPooling,
  TextTower,
  TransformerShape,
  VisionTransformerTower,
} from "../architecture.ts";
import { type ConfigSection, configSection } from "../config-section.ts";
import { OPENAI_MEAN, OPENAI_STD, type Preprocessing } from "../preprocessing.ts";
import type { Filter } from "../resampling/taps.ts";

const FILE = "open_clip_config.json";

const MOST_LAYERS = 1000;
const NORM_EPSILON = 1e-5;

/**
 * Reads the parsed JSON of `open_clip_config.json`, with the model at the top level or in `model_cfg`. Throws
 * INVALID_CHECKPOINT for a value that is missing or of the wrong kind, and UNSUPPORTED_ARCHITECTURE for a key that
 * would change the network in a way this engine does not build; both name the key.
 */
export function parseOpenClipArchitecture(json: unknown): BuiltArchitecture {
  const root = configSection(json, FILE);
  const model = root.has("model_cfg") ? root.section("model_cfg") : root;
  const embeddingWidth = model.count("embed_dim");
  const activation = model.flag("quick_gelu", false) ? "quick-gelu" : "gelu";
  const image = parseImageTower(model.section("vision_cfg"), activation);
  const text = parseTextTower(model.section("text_cfg"), activation);
  // Where a custom text class is chosen, only the names of the tensors differ; a logit bias cancels in the softmax.
  model.ignore("custom_text", "init_logit_bias", "init_logit_scale", "nonscalar_logit_scale");
  model.ignore("preprocess_cfg");
  model.rejectRest();
  return { embeddingWidth, image, text };
}

function parseImageTower(
  config: ConfigSection,
  activation: ActivationName,
): ResNetTower | VisionTransformerTower {
  config.reject("timm_model_name", "attentional_pool");
  rejectCustomBlocks(config);
  const tower = config.isList("layers") ? parseResNet(config) : parseVisionTransformer(config, activation);
  // Fixed positions are stored like learnt ones. The rest matters in training, or to towers of another kind.
  config.ignore(
    "pos_embed_type",
    "no_ln_pre",
    "pool_type",
    "final_ln_after_pool",
    "ls_init_value",
    "norm_kwargs",
  );
  config.ignore("patch_dropout", "attn_pooler_queries", "attn_pooler_heads", "mlp_ratio", "patch_size");
  config.ignore(
    "timm_model_pretrained",
    "timm_pool",
    "timm_proj",
    "timm_proj_bias",
    "timm_drop",
    "timm_drop_path",
  );
  config.rejectRest();
  return tower;
}

function parseResNet(config: ConfigSection): ResNetTower {
  const layers = config.counts("layers");
  if (layers.length !== 4) throw config.invalid("layers", "must list the blocks of four stages");
  if (layers.some((blocks) => blocks > MOST_LAYERS)) throw config.invalid("layers", "lists too many blocks");
  const width = config.count("width", 768);
  const imageSize = parseImageSize(config);
  if (imageSize.height !== imageSize.width) {
    throw config.unsupported("image_size", "a ResNet with an image that is not square");
  }
  if (width % 2 !== 0) throw config.invalid("width", "must be even");
  const heads = headCount(config, width * 32, config.count("head_width", 64));
  return { kind: "resnet", imageSize, layers, width, heads, grid: resNetGrid(config, imageSize.height) };
}

function parseVisionTransformer(config: ConfigSection, activation: ActivationName): VisionTransformerTower {
  const width = config.count("width", 768);
  const imageSize = parseImageSize(config);
  const patchSize = config.count("patch_size", 16);
  const patches = Math.floor(imageSize.height / patchSize) * Math.floor(imageSize.width / patchSize);
  if (patches === 0) throw config.invalid("patch_size", "must not exceed image_size");
  const heads = headCount(config, width, config.count("head_width", 64));
  return {
    kind: "vision-transformer",
    imageSize,
    patchSize,
    patches,
    normBeforeBlocks: !config.flag("no_ln_pre", false),
    pooling: parseImagePooling(config),
    ...parseBlocks(config, width, heads, activation),
  };
}

function parseImagePooling(config: ConfigSection): ImagePooling {
  const normLast = config.flag("final_ln_after_pool", false);
  const kind = config.text("pool_type", "tok");
  if (kind === "tok") return "class-token";
  if (kind === "avg") return normLast ? "norm-of-mean" : "mean-of-normed";
  throw config.unsupported("pool_type", `pooling "${kind}"`);
}

function parseBlocks(
  config: ConfigSection,
  width: number,
  heads: number,
  activation: ActivationName,
): TransformerShape {
  return {
    width,
    layers: config.count("layers", 12, MOST_LAYERS),
    heads,
    mlpWidth: mlpWidth(config, width),
    activation,
    normEpsilon: parseNormEpsilon(config),
    layerScale: config.has("ls_init_value"),
  };
}

function parseNormEpsilon(config: ConfigSection): number {
  if (!config.has("norm_kwargs")) return NORM_EPSILON;
  const options = config.section("norm_kwargs");
  const epsilon = options.ratio("eps", NORM_EPSILON);
  options.rejectRest();
  return epsilon;
}

function parseTextTower(config: ConfigSection, activation: ActivationName): TextTower {
  config.reject("hf_model_name", "embed_cls", "no_causal_mask", "proj_bias");
  config.expect("proj_type", "linear");
  rejectCustomBlocks(config);
  const width = config.count("width", 512);
  const heads = config.count("heads", 8);
  if (width % heads !== 0) throw config.invalid("heads", `must divide the width ${width}`);
  const tower: TextTower = {
    contextLength: config.count("context_length", 77),
    vocabulary: config.count("vocab_size", 49408),
    ...parseBlocks(config, width, heads, activation),
    pooling: parsePooling(config),
    paddingToken: config.token("pad_id", 0),
    cleaning: parseCleaning(config),
  };
  if (tower.contextLength < 3) throw config.invalid("context_length", "must be at least 3");
  // The layer norm works position by position, so before or after pooling is the same.
  config.ignore("final_ln_after_pool", "hf_model_pretrained", "hf_proj_type", "hf_pooler_type");
  config.reject("tokenizer_mode");
  config.rejectRest();
  return tower;
}

function parsePooling(config: ConfigSection): TextPooling {
  const kind = config.text("pool_type", "argmax");
  const token = config.token("eos_id", 2);
  if (kind === "argmax") return { kind };
  if (kind === "eos") return { kind: "token", token };
  throw config.unsupported("pool_type", `pooling "${kind}"`);
}

function parseImageSize(config: ConfigSection): ImageSize {
  if (!config.isList("image_size")) {
    const side = config.count("image_size", 224);
    return { height: side, width: side };
  }
  const sides = config.counts("image_size");
  if (sides.length !== 2) throw config.invalid("image_size", "must be one number, or height and width");
  return { height: sides[0]!, width: sides[1]! };
}

function headCount(config: ConfigSection, width: number, headWidth: number): number {
  if (width % headWidth !== 0) throw config.invalid("head_width", `must divide the width ${width}`);
  return width / headWidth;
}

function mlpWidth(config: ConfigSection, width: number): number {
  const hidden = Math.trunc(width * config.ratio("mlp_ratio", 4));
  if (hidden < 1) throw config.invalid("mlp_ratio", "leaves no hidden unit");
  return hidden;
}

function rejectCustomBlocks(config: ConfigSection): void {
  config.expect("block_type", "default");
  config.reject("act_kwargs");
  config.reject("qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc");
  config.ignore("output_tokens");
}

function parseCleaning(config: ConfigSection): TextCleaning {
  // open_clip lower-cases for its own tokenizer and leaves a Hugging Face tokenizer to do so itself.
  const usual = config.text("hf_tokenizer_name", "") ? "whitespace" : "lower";
  if (!config.has("tokenizer_kwargs")) return usual;
  const options = config.section("tokenizer_kwargs");
  const cleaning = options.text("clean", usual);
  options.reject("strip_sep_token");
  options.rejectRest();
  if (cleaning === "lower" || cleaning === "whitespace" || cleaning === "canonicalize") return cleaning;
  throw options.unsupported("clean", JSON.stringify(cleaning));
}

function resNetGrid(config: ConfigSection, side: number): number {
  const grid = Math.floor(Math.ceil(side / 2) / 16);
  // The weights have positions for image_size // 32: other sizes do not fit the network that reads them.
  if (grid < 1 || grid !== Math.floor(side / 32)) {
    throw config.unsupported("image_size", `a ResNet for ${side} pixels (use a multiple of 32)`);
  }
  return grid;
}

/**
 * Reads `preprocess_cfg` of the parsed `open_clip_config.json`; absent values are OpenAI's, and the size is always
 * that of the tower. Throws INVALID_CHECKPOINT or UNSUPPORTED_ARCHITECTURE naming the key.
 */
export function parseOpenClipPreprocessing(json: unknown, size: ImageSize): Preprocessing {
  const root = configSection(json, FILE);
  const config = root.has("preprocess_cfg")
    ? root.section("preprocess_cfg")
    : configSection({}, FILE, "preprocess_cfg");
  config.expect("mode", "RGB");
  const resizeMode = parseResizeMode(config);
  const interpolation = parseInterpolation(config);
  const fill = config.token("fill_color", 0);
  if (fill > 255) throw config.invalid("fill_color", "must be a whole number from 0 to 255");
  // open_clip fills an oblong size by its default filter, whatever is asked for.
  const fixedFilter = resizeMode === "shortest" && size.height !== size.width;
  const preprocessing = {
    size,
    mean: config.numbers("mean", OPENAI_MEAN),
    std: config.numbers("std", OPENAI_STD, (value) => value > 0),
    interpolation: fixedFilter ? "bicubic" : interpolation,
    resizeMode,
    ...(resizeMode === "longest" && fill > 0 && { fill }),
  } as const;
  config.ignore("size");
  config.rejectRest();
  return preprocessing;
}

function parseInterpolation(config: ConfigSection): Filter {
  const name = config.text("interpolation", "bicubic");
  // "random" varies the filter in training only.
  if (name === "bicubic" || name === "random") return "bicubic";
  if (name === "bilinear") return "bilinear";
  throw config.unsupported("interpolation", JSON.stringify(name));
}

function parseResizeMode(config: ConfigSection): Preprocessing["resizeMode"] {
  const name = config.text("resize_mode", "shortest");
  if (name === "shortest" || name === "longest" || name === "squash") return name;
  throw config.unsupported("resize_mode", JSON.stringify(name));
}
