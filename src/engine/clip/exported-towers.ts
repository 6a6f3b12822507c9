import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";

/** Towers that come with the checkpoint as graphs, and take the place of those that the engine builds. */
export interface ExportedTowers {
  /** Images [N, 3, H, W], normalised by mean and deviation, to features [N, D] of any length. */
  image(g: GraphBuilder, images: Wire): Wire;
  /** Token vectors [C, L, d], positions not yet added, and endOfText [C, L, 1] to features [C, D] of any length. */
  text(g: GraphBuilder, tokens: Wire, endOfText: Wire): Wire;
}
