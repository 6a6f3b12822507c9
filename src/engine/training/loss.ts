import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import { float32 } from "../onnx/tensor.ts";

/**
 * The symmetric contrastive loss of CLIP (Radford et al. 2021, arXiv:2103.00020, figure 3), a scalar: with logits
 * z = s · images · textsᵀ, ½ [CE(rows of z, own text) + CE(columns of z, own image)], each a mean over the batch.
 * `images` and `texts` are normalised embeddings [N, D] of pairs, `scale` is s itself, not its logarithm.
 */
export function contrastiveLoss(g: GraphBuilder, images: Wire, texts: Wire, scale: Wire): Wire {
  const [batch] = images.shape;
  const logits = g.mul(g.gemm(images, texts, undefined, { transB: true }), scale);
  const own = g.constant(float32([batch, batch], identity(batch)));
  const scores = g.add(g.logSoftmax(logits, 1), g.logSoftmax(logits, 0));
  return g.mul(g.reduceSum(g.mul(scores, own)), -1 / (2 * batch));
}

/**
 * Mean cross-entropy of finding each row's partner among all of them, a scalar: with logits z = s · rows · partnersᵀ,
 * CE(rows of z, the partner of the same place). Rows and partners are normalised embeddings [N, D].
 */
export function partnerEntropy(g: GraphBuilder, rows: Wire, partners: Wire, scale: Wire): Wire {
  const [batch] = rows.shape;
  const logits = g.mul(g.gemm(rows, partners, undefined, { transB: true }), scale);
  const own = g.constant(float32([batch, batch], identity(batch)));
  return g.mul(g.reduceSum(g.mul(g.logSoftmax(logits, 1), own)), -1 / batch);
}

function identity(size: number): Float32Array {
  return new Float32Array(size * size).map((_, cell) => Number(cell % (size + 1) === 0));
}
