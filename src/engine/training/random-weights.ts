import { type BuiltArchitecture, builtArchitecture, type ClipArchitecture } from "../clip/architecture.ts";
import { sizeOf } from "../onnx/tensor.ts";
import { randomStream } from "../random.ts";
import type { Place } from "./layout.ts";

/** How a tensor is filled: all alike, normal with a deviation, or uniform up to a bound on either side. */
type Fill =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "normal"; readonly deviation: number }
  | { readonly kind: "uniform"; readonly bound: number };

const constant = (value: number): Fill => ({ kind: "constant", value });
const normal = (deviation: number): Fill => ({ kind: "normal", deviation });
const uniform = (bound: number): Fill => ({ kind: "uniform", bound });

/** ln(1 / 0.07): where the logit scale starts (Wu et al. 2018, arXiv:1805.01978). */
const FIRST_LOGIT_SCALE = Math.log(1 / 0.07);

/**
 * Weights to train from scratch with the deviations of open_clip. The same seed gives the same bytes, each tensor from
 * a stream of its own.
 */
export function randomWeights(architecture: ClipArchitecture, seed: number): (place: Place) => Float32Array {
  const built = builtArchitecture(architecture);
  return (place) => {
    const fill = fillOf(built, place);
    const random = randomStream(seed, "weights", place.name);
    const values = new Float32Array(place.size);
    if (fill.kind === "constant") return values.fill(fill.value);
    if (fill.kind === "normal") return values.map(() => fill.deviation * random.normal());
    return values.map(() => fill.bound * (2 * random.uniform() - 1));
  };
}

function fillOf(architecture: BuiltArchitecture, { name, shape }: Place): Fill {
  if (name === "logit_scale") return constant(FIRST_LOGIT_SCALE);
  return name.startsWith("visual.")
    ? imageFill(architecture, name, shape)
    : textFill(architecture, name, shape);
}

function textFill(
  { text: { width, layers } }: BuiltArchitecture,
  name: string,
  shape: readonly number[],
): Fill {
  if (name === "token_embedding.weight") return normal(0.02);
  if (name === "positional_embedding") return normal(0.01);
  if (name === "text_projection") return normal(width ** -0.5);
  if (/attn\.in_proj_weight$/.test(name)) return normal(width ** -0.5);
  if (/(attn\.out_proj|c_proj)\.weight$/.test(name)) return normal((2 * layers * width) ** -0.5);
  if (/c_fc\.weight$/.test(name)) return normal((2 * width) ** -0.5);
  return commonFill(name, shape, width);
}

function imageFill({ image }: BuiltArchitecture, name: string, shape: readonly number[]): Fill {
  const { width } = image;
  if (image.kind === "resnet") {
    const channels = 32 * width;
    if (/attnpool\..*(weight|positional_embedding)$/.test(name)) return normal(channels ** -0.5);
    // A block starts as its shortcut alone.
    if (/layer\d+\.\d+\.bn3\.weight$/.test(name)) return constant(0);
    return commonFill(name, shape, channels);
  }
  if (/(class_embedding|positional_embedding|visual\.proj)$/.test(name)) return normal(width ** -0.5);
  if (/attn\.in_proj_weight$/.test(name)) return uniform(Math.sqrt(6 / (shape[0] + shape[1])));
  return commonFill(name, shape, width);
}

/** What PyTorch's layers start from; `width` is what linear maps with a bias read, an MLP's second map aside. */
function commonFill(name: string, shape: readonly number[], width: number): Fill {
  if (shape.length > 1) return uniform(sizeOf(shape.slice(1)) ** -0.5);
  if (/running_var$|(bn\d|ln_\w+|downsample\.1)\.weight$/.test(name)) return constant(1);
  if (/mlp\.c_proj\.bias$/.test(name)) return uniform((4 * width) ** -0.5);
  if (/((q|k|v|c)_proj|c_fc)\.bias$/.test(name)) return uniform(width ** -0.5);
  return constant(0);
}
