import type { ImageSize } from "../clip/architecture.ts";
import type { Checkpoint } from "../clip/checkpoint.ts";
import type { Device } from "../runtime/device.ts";
import type { CbptConfig } from "./config.ts";
import type { PromptLayout } from "./prompts.ts";

/** A clean labelled example: pixels [3, H, W] in [0, 1] as the model sees them. */
export interface Shot {
  readonly pixels: Float32Array;
  readonly label: number;
}

/** What a run works on. It never changes, is not stored, and is computed anew after a restart. */
export interface Problem {
  readonly checkpoint: Checkpoint;
  readonly config: CbptConfig;
  readonly labels: readonly string[];
  /** The labels that triggers are searched for, as indices: all of them, or those that a caller is concerned about. */
  readonly targets: readonly number[];
  readonly imageSize: ImageSize;
  /** D: width of the shared embedding. */
  readonly width: number;
  readonly shots: readonly Shot[];
  /** [N, D]: the shots' normalised embeddings. */
  readonly features: Float32Array;
  /** [C, D]: the undefended zero-shot text features, normalised. */
  readonly matrix: Float32Array;
  readonly layout: PromptLayout;
  /** The first template of every label with room for one word before it, which all share; absent where none fits. */
  readonly wordLayout?: PromptLayout;
  readonly device: Device;
  readonly threads: number;
}

/** Values in one image: 3 · H · W. */
export const imageValues = ({ imageSize }: Pick<Problem, "imageSize">): number =>
  3 * imageSize.height * imageSize.width;

/** The shorter side, in which radii are counted. */
export const shortSide = ({ imageSize }: Pick<Problem, "imageSize">): number =>
  Math.min(imageSize.height, imageSize.width);
