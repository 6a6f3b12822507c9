import { floatOf, intOf, intsOf, textOf } from "../../attributes.ts";
import type { GraphBuilder } from "../../builder.ts";
import type { Wire } from "../../graph.ts";
import { writtenOut } from "../../passes/constants.ts";
import { sizeOf } from "../../tensor.ts";
import { cannot, type Operator, type OperatorContext, type OperatorTable } from "../operator.ts";
import { gelu, tanhGelu } from "./elementwise.ts";
import { linear, normalised } from "./linear.ts";

/** What ONNX Runtime's optimiser joins, taken apart again: the parts have gradients. */
export const microsoft: OperatorTable = {
  Gelu: ({ g, in: [x] }) => gelu(g, x),
  BiasGelu: ({ g, in: [x, bias] }) => gelu(g, g.add(x, bias)),
  FastGelu: ({ g, in: [x, bias] }) => tanhGelu(g, bias ? g.add(x, bias) : x),
  QuickGelu: ({ g, node, in: [x] }) => g.mul(x, g.sigmoid(g.mul(x, floatOf(node, "alpha", 1.702)))),
  SkipLayerNormalization: ({ g, node, in: [x, skip, scale, shift, bias] }) => {
    const sum = g.add(x, skip);
    const whole = bias ? g.add(sum, bias) : sum;
    const y = normalised(g, whole, scale, shift, floatOf(node, "epsilon", 1e-12));
    if (node.outputs[1] || node.outputs[2]) cannot(node, "is asked for its statistics");
    return [y, whole, whole, whole];
  },
  FusedMatMul: ({ g, node, in: [a, b] }) => {
    if (intOf(node, "transBatchA", 0) || intOf(node, "transBatchB", 0)) cannot(node, "transposes batches");
    const left = intOf(node, "transA", 0) ? g.transposeMatrix(a) : a;
    const product = g.matmul(left, intOf(node, "transB", 0) ? g.transposeMatrix(b) : b);
    const alpha = floatOf(node, "alpha", 1);
    return alpha === 1 ? product : g.mul(product, alpha);
  },
  FusedGemm: activated(linear.Gemm),
  FusedConv: activated(linear.Conv),

  // [N, S, d] · [d, 3e] + [3e]: queries, keys and values of one product
  Attention: (context) => {
    const {
      g,
      node,
      in: [x, weights, bias, mask, past, scores],
    } = context;
    if (past) cannot(node, "has a past");
    const product = bias ? g.add(g.matmul(x, weights), bias) : g.matmul(x, weights);
    const widths = intsOf(node, "qkv_hidden_sizes", Array(3).fill(weights.shape[1] / 3));
    const [query, key, value] = g.split(product, widths, -1);
    return attention(context, { query, key, value, mask, scores });
  },
  // [N, S, e], [N, T, e], [N, T, v], and a bias [2e + v] for all three
  MultiHeadAttention: (context) => {
    const {
      g,
      node,
      in: [query, key, value, bias, mask, scores, past],
    } = context;
    if (!key || !value || past || [query, key, value].some((wire) => wire.shape.length !== 3))
      return cannot(node, "has its queries, keys and values in a form that is not supported");
    if (!bias) return attention(context, { query, key, value, mask, scores });
    const widths = [query, key, value].map((wire) => wire.shape[2]);
    const [forQuery, forKey, forValue] = g.split(bias, widths, 0);
    const shifted = { query: g.add(query, forQuery), key: g.add(key, forKey), value: g.add(value, forValue) };
    return attention(context, { ...shifted, mask, scores });
  },
};

interface AttentionInputs {
  readonly query: Wire;
  readonly key: Wire;
  readonly value: Wire;
  /** [N, T]: 1 where a key is seen. */
  readonly mask: Wire | undefined;
  /** Added to the scores. */
  readonly scores: Wire | undefined;
}

function attention({ g, node }: OperatorContext, { query, key, value, mask, scores }: AttentionInputs): Wire {
  if (node.outputs.length > 1) cannot(node, "is asked for its keys and values");
  const heads = intOf(node, "num_heads", 1);
  const [queries, keys, values] = [query, key, value].map((wire) => inHeads(g, wire, heads));
  const width = query.shape[2] / heads;
  const factor = floatOf(node, "scale", 0) || 1 / Math.sqrt(width);
  let logits = g.mul(g.matmul(queries, g.transposeMatrix(keys)), factor);
  const hidden = floatOf(node, "mask_filter_value", -10000);
  if (mask) {
    if (mask.shape.length !== 2) cannot(node, `has a mask of shape [${mask.shape}]`);
    const away = g.mul(g.sub(1, g.cast(mask, g.float)), hidden);
    logits = g.add(logits, g.unsqueeze(away, [1, 2]));
  }
  if (scores) logits = g.add(logits, scores);
  if (intOf(node, "unidirectional", 0) === 1) logits = g.add(logits, causal(g, logits, hidden));
  const mixed = g.matmul(g.softmax(logits), values);
  return g.reshape(g.transpose(mixed, [0, 2, 1, 3]), [...query.shape.slice(0, 2), value.shape[2]]);
}

/** [N, S, e] to [N, heads, S, e / heads] */
function inHeads(g: GraphBuilder, x: Wire, heads: number): Wire {
  const [batch, length, width] = x.shape;
  return g.transpose(g.reshape(x, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
}

function causal(g: GraphBuilder, logits: Wire, hidden: number): Wire {
  const [rows, columns] = logits.shape.slice(-2);
  const cells = Array.from({ length: writtenOut(sizeOf([rows, columns])) }, (_, cell) =>
    cell % columns > Math.floor(cell / columns) + columns - rows ? hidden : 0,
  );
  return g.constant({ type: "float32", shape: [rows, columns], data: Float32Array.from(cells) });
}

function activated(f: Operator): Operator {
  return (context) => {
    const { g, node, in: list } = context;
    const parts = node.op === "FusedConv" ? 3 : 4;
    if (list[parts]) cannot(node, "adds a residual");
    const y = f(context) as Wire;
    const activation = textOf(node, "activation", "");
    if (activation === "" || activation === "Identity") return y;
    if (activation === "Relu") return g.relu(y);
    if (activation === "Sigmoid") return g.sigmoid(y);
    if (activation === "Tanh") return g.tanh(y);
    return cannot(node, `ends in ${activation}, which is not supported`);
  };
}
