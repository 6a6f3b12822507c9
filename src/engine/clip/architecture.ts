import { AppError } from "../../errors.ts";

/** A CLIP's two towers, whatever layout they were read from. All sizes are positive whole numbers. */
export interface ClipArchitecture {
  /** D, the width of the space that images and texts share. */
  readonly embeddingWidth: number;
  readonly image: ResNetTower | VisionTransformerTower | ExportedImageTower;
  readonly text: TextTower | ExportedTextTower;
}

/** Towers that the engine can build from weights. */
export interface BuiltArchitecture extends ClipArchitecture {
  readonly image: ResNetTower | VisionTransformerTower;
  readonly text: TextTower;
}

/** A tower of which there is a graph, and nothing that says how it was made. */
export interface ExportedImageTower {
  readonly kind: "exported";
  readonly imageSize: ImageSize;
}

export interface ExportedTextTower extends TextReading {
  readonly kind: "exported";
}

/** The same architecture, if it can be built. Throws UNSUPPORTED_ARCHITECTURE for one that is known as graphs only. */
export function builtArchitecture({ embeddingWidth, image, text }: ClipArchitecture): BuiltArchitecture {
  if (image.kind !== "exported" && text.kind !== "exported") return { embeddingWidth, image, text };
  throw new AppError(
    "UNSUPPORTED_ARCHITECTURE",
    "This model is an ONNX export without a configuration, so its networks cannot be built anew. Put its config.json beside it.",
  );
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

/** A vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929). */
export interface VisionTransformerTower extends TransformerShape {
  readonly kind: "vision-transformer";
  readonly imageSize: ImageSize;
  readonly patchSize: number;
  /** Patches in the image; pixels beyond a whole number of patches are not seen. */
  readonly patches: number;
  /** Whether a layer norm comes before the blocks. */
  readonly normBeforeBlocks: boolean;
  readonly pooling: ImagePooling;
}

/**
 * What stands for the image: the class token's last state, or the mean of the patches', taken before the last layer
 * norm or after it.
 */
export type ImagePooling = "class-token" | "mean-of-normed" | "norm-of-mean";

export interface TextTower extends TextReading, TransformerShape {
  readonly kind?: undefined;
}

/** How a text tower takes texts. */
export interface TextReading {
  readonly contextLength: number;
  readonly vocabulary: number;
  /** Of a token's vector. */
  readonly width: number;
  readonly pooling: TextPooling;
  /** The token after the end of text; what follows the pooled position cannot change an embedding. */
  readonly paddingToken: number;
  readonly cleaning: TextCleaning;
}

/**
 * What happens to a text before it is tokenized, in open_clip's terms; all but "none" repair it and join white space.
 * "none" leaves everything to the tokenizer, as in Hugging Face's library.
 */
export type TextCleaning = "none" | "lower" | "whitespace" | "canonicalize";

export interface TransformerShape {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly mlpWidth: number;
  readonly activation: ActivationName;
  /** Added to the variance in every layer norm. */
  readonly normEpsilon: number;
  /** Whether what a block adds is multiplied, channel by channel (Touvron et al. 2021, arXiv:2103.17239). */
  readonly layerScale: boolean;
}

/** The exact GELU, or x · σ(1.702 x). */
export type ActivationName = "gelu" | "quick-gelu";

/** Which position of a text stands for all of it: that of the highest token id, or of the first `token`. */
export type TextPooling = { readonly kind: "argmax" } | { readonly kind: "token"; readonly token: number };
