import { AppError } from "../../../errors.ts";
import type { Shape } from "../../onnx/graph.ts";

/** OpenAI's towers have heads of this width. */
const HEAD_WIDTH = 64;
/** The widest transformer for which that is known to hold: ViT-L's. Larger ones of open_clip have other heads. */
const WIDEST = 1024;

/** The shape of the tensor of that name; undefined where there is none. */
export type ShapeOf = (name: string) => Shape | undefined;

/**
 * What `open_clip_config.json` would say of a model in OpenAI's layout, by the shapes of its tensors. Sizes follow from
 * them; that heads are 64 wide and the activation is QuickGELU does not, and is taken as in OpenAI's models. Throws
 * INVALID_CHECKPOINT naming the tensor that does not fit.
 */
export function inferOpenClipConfig(shapeOf: ShapeOf, file: string): object {
  const shapes = new Shapes(shapeOf, file);
  const [width, embedding] = shapes.of("text_projection", 2);
  const [context] = shapes.of("positional_embedding", 2);
  const [vocabulary] = shapes.of("token_embedding.weight", 2);
  return {
    embed_dim: embedding,
    quick_gelu: true,
    vision_cfg: shapeOf("visual.layer1.0.conv1.weight") ? resNet(shapes) : visionTransformer(shapes),
    text_cfg: {
      context_length: context,
      vocab_size: vocabulary,
      heads: shapes.heads("text_projection", width),
      ...blocks(shapes, "", width),
    },
  };
}

/** What an inferred configuration takes for granted, for people. */
export const INFERRED = `There is no configuration beside the weights: sizes are read from the tensors, heads are ${HEAD_WIDTH} wide and images are normalised as in OpenAI's models, and the activation is QuickGELU. A model that open_clip trained from its own settings has GELU: say so by "quickGelu": false in antidote.json, or put its open_clip_config.json there.`;

function visionTransformer(shapes: Shapes): object {
  const [width, , patch] = shapes.of("visual.conv1.weight", 4);
  const grid = shapes.grid("visual.positional_embedding");
  return {
    image_size: grid * patch,
    patch_size: patch,
    head_width: shapes.heads("visual.conv1.weight", width) && HEAD_WIDTH,
    ...blocks(shapes, "visual.", width),
  };
}

function resNet(shapes: Shapes): object {
  const [width] = shapes.of("visual.layer1.0.conv1.weight", 4);
  const stages = [1, 2, 3, 4].map((stage) =>
    shapes.count((block) => `visual.layer${stage}.${block}.conv1.weight`),
  );
  if ((width * 32) % HEAD_WIDTH !== 0)
    throw shapes.unfit("visual.layer1.0.conv1.weight", `has width ${width}`);
  return {
    image_size: shapes.grid("visual.attnpool.positional_embedding") * 32,
    layers: stages,
    width,
    head_width: HEAD_WIDTH,
  };
}

function blocks(shapes: Shapes, tower: string, width: number): object {
  const [hidden] = shapes.of(`${tower}transformer.resblocks.0.mlp.c_fc.weight`, 2);
  return {
    width,
    layers: shapes.count((block) => `${tower}transformer.resblocks.${block}.ln_1.weight`),
    // Half a unit more, so that rounding down gives exactly what is there.
    mlp_ratio: (hidden + 0.5) / width,
  };
}

class Shapes {
  constructor(
    private readonly shapeOf: ShapeOf,
    private readonly file: string,
  ) {}

  of(name: string, rank: number): Shape {
    const shape = this.shapeOf(name);
    if (!shape) throw this.unfit(name, "is missing");
    if (shape.length !== rank || shape.includes(0)) throw this.unfit(name, `has shape [${shape}]`);
    return shape;
  }

  /** How many blocks there are, from the first on. */
  count(nameOf: (block: number) => string): number {
    let blocks = 0;
    while (this.shapeOf(nameOf(blocks))) blocks++;
    return blocks;
  }

  /** The side of the square that has a position each, beside one for the class. */
  grid(name: string): number {
    const positions = this.of(name, 2)[0] - 1;
    const side = Math.round(Math.sqrt(positions));
    if (side > 0 && side * side === positions) return side;
    throw this.unfit(name, `has ${positions} positions for patches, which are no square`);
  }

  heads(name: string, width: number): number {
    if (width % HEAD_WIDTH === 0 && width <= WIDEST) return width / HEAD_WIDTH;
    throw this.unfit(name, `has width ${width}, which none of OpenAI's models has`);
  }

  unfit(tensor: string, problem: string): AppError {
    const { file } = this;
    const message = `${file}: tensor "${tensor}" ${problem}, so the architecture cannot be read from the weights. Put the model's open_clip_config.json beside them, or Hugging Face's config.json.`;
    return new AppError("INVALID_CHECKPOINT", message, { file, tensor });
  }
}
