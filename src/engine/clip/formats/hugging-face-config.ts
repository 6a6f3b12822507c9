import type {
  ActivationName,
  BuiltArchitecture,
  TextPooling,
  TextTower,
  TransformerShape,
  VisionTransformerTower,
} from "../architecture.ts";
import { type ConfigSection, configSection } from "../config-section.ts";

const FILE = "config.json";
const MOST_LAYERS = 1000;

/**
 * The end of text that configurations named before its id was looked up by them. The library still pools the highest
 * id for it.
 */
const LEGACY_END = 2;

const TEXT_DEFAULTS = {
  vocab_size: 49408,
  hidden_size: 512,
  intermediate_size: 2048,
  num_hidden_layers: 12,
  num_attention_heads: 8,
  max_position_embeddings: 77,
  hidden_act: "quick_gelu",
  layer_norm_eps: 1e-5,
  pad_token_id: 1,
  eos_token_id: 49407,
};

const VISION_DEFAULTS = {
  hidden_size: 768,
  intermediate_size: 3072,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  num_channels: 3,
  image_size: 224,
  patch_size: 32,
  hidden_act: "quick_gelu",
  layer_norm_eps: 1e-5,
};

type Values = Readonly<Record<string, unknown>>;

/**
 * Reads the parsed `config.json` of a `CLIPModel`; absent keys have the library's defaults, and keys that it does not
 * read for this model are not read here. Throws INVALID_CHECKPOINT or UNSUPPORTED_ARCHITECTURE naming the key.
 */
export function parseHuggingFaceArchitecture(json: unknown): BuiltArchitecture {
  const root = configSection(json, FILE);
  root.expect("model_type", "clip");
  return {
    embeddingWidth: root.count("projection_dim", 512),
    image: parseImageTower(tower(root, "vision_config", VISION_DEFAULTS)),
    text: parseTextTower(tower(root, "text_config", TEXT_DEFAULTS)),
  };
}

/** A tower's section over its defaults; older files repeat it as `…_config_dict`, which wins with all its defaults. */
function tower(root: ConfigSection, key: string, defaults: Values): ConfigSection {
  const section = root.has(key) ? root.section(key) : configSection({}, FILE, key);
  const older = root.has(`${key}_dict`) ? { ...defaults, ...root.section(`${key}_dict`).all() } : {};
  return configSection({ ...defaults, ...section.all(), ...older }, FILE, key);
}

function parseImageTower(config: ConfigSection): VisionTransformerTower {
  const side = config.count("image_size");
  const patchSize = config.count("patch_size");
  if (config.count("num_channels") !== 3) throw config.unsupported("num_channels", "images that are not RGB");
  if (patchSize > side) throw config.invalid("patch_size", "must not exceed image_size");
  return {
    kind: "vision-transformer",
    imageSize: { height: side, width: side },
    patchSize,
    patches: Math.floor(side / patchSize) ** 2,
    normBeforeBlocks: true,
    pooling: "class-token",
    ...parseBlocks(config),
  };
}

function parseTextTower(config: ConfigSection): TextTower {
  const contextLength = config.count("max_position_embeddings");
  if (contextLength < 3) throw config.invalid("max_position_embeddings", "must be at least 3");
  return {
    contextLength,
    vocabulary: config.count("vocab_size"),
    ...parseBlocks(config),
    pooling: parsePooling(config),
    paddingToken: config.token("pad_token_id", TEXT_DEFAULTS.pad_token_id),
    cleaning: "none",
  };
}

function parseBlocks(config: ConfigSection): TransformerShape {
  const width = config.count("hidden_size");
  const heads = config.count("num_attention_heads");
  if (width % heads !== 0) throw config.invalid("num_attention_heads", `must divide the width ${width}`);
  return {
    width,
    layers: config.count("num_hidden_layers", undefined, MOST_LAYERS),
    heads,
    mlpWidth: config.count("intermediate_size"),
    activation: parseActivation(config),
    normEpsilon: config.ratio("layer_norm_eps", TEXT_DEFAULTS.layer_norm_eps),
    layerScale: false,
  };
}

function parseActivation(config: ConfigSection): ActivationName {
  const name = config.text("hidden_act", "quick_gelu");
  if (name === "quick_gelu") return "quick-gelu";
  if (name === "gelu") return "gelu";
  throw config.unsupported("hidden_act", `the activation "${name}"`);
}

function parsePooling(config: ConfigSection): TextPooling {
  if (config.isList("eos_token_id")) throw config.unsupported("eos_token_id", "several ends of text");
  const token = config.token("eos_token_id", TEXT_DEFAULTS.eos_token_id);
  return token === LEGACY_END ? { kind: "argmax" } : { kind: "token", token };
}
