import type { ImageSize } from "../architecture.ts";
import { type ConfigSection, configSection } from "../config-section.ts";
import { OPENAI_MEAN, OPENAI_STD, type Preprocessing } from "../preprocessing.ts";
import type { Filter } from "../resampling/taps.ts";

/** Pillow's numbers of its filters. */
const FILTERS: Readonly<Record<number, Filter>> = { 2: "bilinear", 3: "bicubic" };
const BICUBIC = 3;

/** What the library called CLIP's image processor over time. */
const PROCESSORS = [
  "CLIPImageProcessor",
  "CLIPImageProcessorFast",
  "CLIPImageProcessorPil",
  "CLIPFeatureExtractor",
];

/**
 * Reads the parsed `preprocessor_config.json` of a CLIP image processor, as its Pillow backend works; absent keys have
 * the library's defaults, but for the sizes, which are the tower's. Throws INVALID_CHECKPOINT or
 * UNSUPPORTED_ARCHITECTURE naming the file and the key.
 */
export function parseHuggingFacePreprocessing(json: unknown, size: ImageSize, file: string): Preprocessing {
  const config = configSection(json, file);
  for (const key of ["image_processor_type", "feature_extractor_type"]) {
    const name = config.text(key, PROCESSORS[0]);
    if (!PROCESSORS.includes(name)) throw config.unsupported(key, `the image processor ${name}`);
  }
  for (const key of ["do_resize", "do_rescale"]) {
    if (!config.flag(key, true)) throw config.unsupported(key, "images that are taken as they are");
  }
  checkRescaling(config);
  return {
    size,
    ...parseNormalisation(config),
    interpolation: parseFilter(config),
    ...parseGeometry(config, size),
    cropRounding: "down",
  };
}

function checkRescaling(config: ConfigSection): void {
  const factor = config.ratio("rescale_factor", 1 / 255);
  if (Math.abs(factor * 255 - 1) > 1e-6) throw config.unsupported("rescale_factor", `the factor ${factor}`);
}

function parseNormalisation(config: ConfigSection): Pick<Preprocessing, "mean" | "std"> {
  const mean = config.numbers("image_mean", OPENAI_MEAN);
  const std = config.numbers("image_std", OPENAI_STD, (value) => value > 0);
  return config.flag("do_normalize", true) ? { mean, std } : { mean: [0, 0, 0], std: [1, 1, 1] };
}

function parseFilter(config: ConfigSection): Filter {
  const number = config.token("resample", BICUBIC);
  const filter = FILTERS[number];
  if (filter) return filter;
  throw config.unsupported("resample", `Pillow's filter ${number}`);
}

/** An image is resized by `size`, to a shortest side or to height and width; `crop_size` is cut from its centre. */
function parseGeometry(
  config: ConfigSection,
  tower: ImageSize,
): Pick<Preprocessing, "resizeMode" | "resizeTo"> {
  const crops = config.flag("do_center_crop", true);
  if (crops && !sameSize(parseSize(config, "crop_size", tower), tower)) {
    throw config.invalid("crop_size", `must be the model's ${tower.height} × ${tower.width}`);
  }
  const resizeTo = parseResize(config, tower);
  const resizeMode = "squash" in resizeTo ? "squash" : "shortest";
  const { height, width } = resizeTo;
  const fits = height >= tower.height && width >= tower.width;
  if (!fits) throw config.unsupported("size", "images that are resized to less than the model sees");
  if (!crops && (resizeMode === "shortest" || !sameSize(resizeTo, tower))) {
    throw config.unsupported("do_center_crop", "images of another size than the model sees");
  }
  const implied = sameSize(resizeTo, tower);
  return { resizeMode, ...(!implied && { resizeTo: { height, width } }) };
}

/** What `size` asks for: a square for the shortest side. */
function parseResize(config: ConfigSection, tower: ImageSize): ImageSize & { readonly squash?: true } {
  const shortest = (side: number): ImageSize => ({ height: side, width: side });
  if (!config.has("size")) return shortest(Math.min(tower.height, tower.width));
  if (!config.isObject("size")) {
    const side = config.count("size");
    return config.flag("use_square_size", false) ? { ...shortest(side), squash: true } : shortest(side);
  }
  const size = config.section("size");
  if (size.has("shortest_edge")) {
    size.reject("longest_edge");
    return shortest(size.count("shortest_edge"));
  }
  size.reject("longest_edge", "max_height", "max_width");
  return { height: size.count("height"), width: size.count("width"), squash: true };
}

function parseSize(config: ConfigSection, key: string, otherwise: ImageSize): ImageSize {
  if (!config.has(key)) return otherwise;
  if (!config.isObject(key)) {
    const side = config.count(key);
    return { height: side, width: side };
  }
  const size = config.section(key);
  return { height: size.count("height"), width: size.count("width") };
}

function sameSize(a: ImageSize, b: ImageSize): boolean {
  return a.height === b.height && a.width === b.width;
}
