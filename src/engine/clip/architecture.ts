import { type ConfigSection, configSection } from "./config-section.ts";

/** What `open_clip_config.json` says about a model, checked and complete. All sizes are positive whole numbers. */
export interface ClipArchitecture {
  /** D, the width of the space that images and texts share. */
  readonly embeddingWidth: number;
  /** x · σ(1.702 x) in place of the exact GELU, in both towers. */
  readonly quickGelu: boolean;
  readonly image: ResNetTower | VisionTransformerTower;
  readonly text: TextTower;
}

export interface ImageSize {
  readonly height: number;
  readonly width: number;
}

/** CLIP's modified ResNet (Radford et al. 2021, arXiv:2103.00020, section 2.4). */
export interface ResNetTower {
  readonly kind: "resnet";
  readonly imageSize: ImageSize;
  /** Blocks in each of the four stages. */
  readonly layers: readonly number[];
  readonly width: number;
  readonly heads: number;
  /** The side of the feature map that the attention pool reads: the stem and three stages halve it five times. */
  readonly grid: number;
}

/** A vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929) with a layer norm before its blocks. */
export interface VisionTransformerTower extends TransformerShape {
  readonly kind: "vision-transformer";
  readonly imageSize: ImageSize;
  readonly patchSize: number;
  /** Patches in the image; pixels beyond a whole number of patches are not seen. */
  readonly patches: number;
}

export interface TextTower extends TransformerShape {
  readonly contextLength: number;
  readonly vocabulary: number;
  readonly pooling: TextPooling;
  /** The token after the end of text; what follows the pooled position cannot change an embedding. */
  readonly paddingToken: number;
  readonly cleaning: TextCleaning;
}

/** What happens to a text before it is tokenized, in open_clip's terms; all of them join white space. */
export type TextCleaning = "lower" | "whitespace" | "canonicalize";

export interface TransformerShape {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly mlpWidth: number;
}

/** Which position of a text stands for all of it: that of the highest token id, or of the first `token`. */
export type TextPooling = { readonly kind: "argmax" } | { readonly kind: "token"; readonly token: number };

const MOST_LAYERS = 1000;

/**
 * Reads the parsed JSON of `open_clip_config.json`, with the model at the top level or in `model_cfg`. Throws
 * INVALID_CHECKPOINT for a value that is missing or of the wrong kind, and UNSUPPORTED_ARCHITECTURE for a key that
 * would change the network in a way this engine does not build; both name the key.
 */
export function parseArchitecture(json: unknown): ClipArchitecture {
  const root = configSection(json, "");
  const model = root.has("model_cfg") ? root.section("model_cfg") : root;
  const embeddingWidth = model.count("embed_dim");
  const quickGelu = model.flag("quick_gelu", false);
  const image = parseImageTower(model.section("vision_cfg"));
  const text = parseTextTower(model.section("text_cfg"));
  // Where a custom text class is chosen, only the names of the tensors differ; a logit bias cancels in the softmax.
  model.ignore("custom_text", "init_logit_bias", "init_logit_scale", "nonscalar_logit_scale");
  model.ignore("preprocess_cfg");
  model.rejectRest();
  return { embeddingWidth, quickGelu, image, text };
}

function parseImageTower(config: ConfigSection): ResNetTower | VisionTransformerTower {
  config.reject("timm_model_name", "attentional_pool", "no_ln_pre", "final_ln_after_pool");
  config.expect("pool_type", "tok");
  config.expect("pos_embed_type", "learnable");
  rejectCustomBlocks(config);
  const tower = config.isList("layers") ? parseResNet(config) : parseVisionTransformer(config);
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

function parseVisionTransformer(config: ConfigSection): VisionTransformerTower {
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
    width,
    layers: config.count("layers", 12, MOST_LAYERS),
    heads,
    mlpWidth: mlpWidth(config, width),
  };
}

function parseTextTower(config: ConfigSection): TextTower {
  config.reject("hf_model_name", "embed_cls", "no_causal_mask", "final_ln_after_pool", "proj_bias");
  config.expect("proj_type", "linear");
  rejectCustomBlocks(config);
  const width = config.count("width", 512);
  const heads = config.count("heads", 8);
  if (width % heads !== 0) throw config.invalid("heads", `must divide the width ${width}`);
  const tower: TextTower = {
    contextLength: config.count("context_length", 77),
    vocabulary: config.count("vocab_size", 49408),
    width,
    heads,
    layers: config.count("layers", 12, MOST_LAYERS),
    mlpWidth: mlpWidth(config, width),
    pooling: parsePooling(config),
    paddingToken: config.token("pad_id", 0),
    cleaning: parseCleaning(config),
  };
  if (tower.contextLength < 3) throw config.invalid("context_length", "must be at least 3");
  config.ignore("hf_model_pretrained", "hf_proj_type", "hf_pooler_type");
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
  config.reject("ls_init_value", "act_kwargs", "norm_kwargs");
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
