import type { Checkpoint } from "../clip/checkpoint.ts";
import { checkpointWeights } from "../clip/weights.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import { float32 } from "../onnx/tensor.ts";
import type { Program } from "../runtime/program.ts";
import type { Session } from "../runtime/session.ts";

export const WORD_METRICS = ["COSINE", "EUCLIDEAN"] as const;
/** How near a context vector is to a token's: by direction alone, or by place as in CoOp's own reading. */
export type WordMetric = (typeof WORD_METRICS)[number];

export interface NearWord {
  readonly word: string;
  /** 1 − cosine, or the Euclidean distance. */
  readonly distance: number;
}

/** Few, so that looking through what one run answers never holds anything up: 8 · V distances. */
const VECTORS_PER_RUN = 8;

/**
 * The words of the vocabulary whose token vectors are nearest to each of the context vectors [n, d], nearest first. The
 * distances are computed where `open` runs programs, so the table of token vectors is loaded there and nowhere else.
 */
export async function nearestWords(
  open: (program: Program) => Promise<Session>,
  checkpoint: Checkpoint,
  vectors: Float32Array,
  { metric, count }: { readonly metric: WordMetric; readonly count: number },
): Promise<NearWord[][]> {
  const { width, vocabulary } = checkpoint.architecture.text;
  const words = checkpoint.tokenizer.words();
  const session = await open(distanceProgram(checkpoint, metric));
  try {
    const found: NearWord[][] = [];
    for (let start = 0; start < vectors.length; start += VECTORS_PER_RUN * width) {
      // The last run is filled up with zeros.
      const part = new Float32Array(VECTORS_PER_RUN * width);
      part.set(vectors.subarray(start, start + part.length));
      const result = await session.run({ vectors: float32([VECTORS_PER_RUN, width], part) });
      const distances = result.distances.data as Float32Array;
      const rows = Math.min(VECTORS_PER_RUN, (vectors.length - start) / width);
      for (let row = 0; row < rows; row++) {
        const own = distances.subarray(row * vocabulary, (row + 1) * vocabulary);
        found.push(nearest(own, words, count));
      }
    }
    return found;
  } finally {
    await session.close();
  }
}

/** `vectors` [n, d] to their `distances` [n, V] from the token vectors. */
function distanceProgram(checkpoint: Checkpoint, metric: WordMetric): Program {
  const g = new GraphBuilder({ name: "word distances" });
  const vectors = g.input("vectors", [VECTORS_PER_RUN, checkpoint.architecture.text.width]);
  const table = checkpointWeights(g, checkpoint)("token_embedding.weight");
  if (metric === "COSINE") {
    const cosines = g.matmul(g.normalize(vectors), g.transpose(g.normalize(table)));
    g.output(g.sub(1, cosines), "distances");
  } else {
    // ‖v − e‖² = ‖v‖² + ‖e‖² − 2 v·e, which rounding may leave just below zero.
    const square = (x: typeof table) => g.reduceSum(g.mul(x, x), [1], { keepDimensions: true });
    const products = g.mul(g.matmul(vectors, g.transpose(table)), 2);
    const squares = g.sub(g.add(square(vectors), g.transpose(square(table))), products);
    g.output(g.sqrt(g.max(squares, 0)), "distances");
  }
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}

/** A token whose vector has no direction is at no distance, and never near. */
function nearest(distances: Float32Array, words: ReadonlyMap<number, string>, count: number): NearWord[] {
  const best: NearWord[] = [];
  for (const [id, word] of words) {
    const distance = distances[id];
    const isNearer = best.length < count ? !Number.isNaN(distance) : distance < best[count - 1].distance;
    if (!isNearer) continue;
    const place = best.findIndex((other) => distance < other.distance);
    best.splice(place < 0 ? best.length : place, 0, { word, distance });
    best.length = Math.min(best.length, count);
  }
  return best;
}
