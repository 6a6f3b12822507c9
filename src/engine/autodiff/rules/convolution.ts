import { intOf, intsOf, textOf } from "../../onnx/attributes.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Node, Shape, Wire } from "../../onnx/graph.ts";
import { MOST_FACTORS, writtenOut } from "../../onnx/passes/constants.ts";
import { sameShape, type Window } from "../../onnx/shapes.ts";
import { sizeOf, tensorOf } from "../../onnx/tensor.ts";
import { inBlockedLayout, scaledInBlocks } from "../blocked-layout.ts";
import { type Rule, unsupported } from "../rule.ts";
import { scale } from "../scale.ts";

export const convolution = {
  // y = x ∗ w + b    x̄ = ȳ ∗ᵀ w       w̄ = ȳ ⋆ x       b̄ = Σ ȳ
  Conv: ({ g, node, in: [x, w, b], grad: [dy] }) => {
    const window = windowOf(node, w.shape.slice(2));
    const group = intOf(node, "group", 1);
    return [
      inputGradient(g, x, w, dy, window, group),
      weightGradient(g, x, w, dy, window, group),
      b && perChannel(g, dy),
    ];
  },

  // y = x ∗ᵀ w + b   x̄ = ȳ ∗ w        w̄ = x ⋆ ȳ       b̄ = Σ ȳ
  ConvTranspose: ({ g, node, in: [x, w, b], grad: [dy] }) => {
    const window = windowOf(node, w.shape.slice(2));
    const group = intOf(node, "group", 1);
    const dx = g.conv(dy, w, undefined, { ...window, group });
    return [dx, weightGradient(g, dy, w, x, window, group), b && perChannel(g, dy)];
  },

  // y = mean of windows of k elements      x̄ = ȳ / k, spread over its window
  AveragePool: ({ g, node, in: [x], grad: [dy] }) => {
    const window = windowOf(node, intsOf(node, "kernel_shape", []));
    if (intOf(node, "ceil_mode", 0) === 1) unsupported(node, "with ceil_mode");
    if (window.pads.some((size) => size > 0) && intOf(node, "count_include_pad", 0) === 0)
      unsupported(node, "with padding that does not count");
    const share = 1 / sizeOf(window.kernel);
    if (!tiles(window) || window.kernel.length !== 2) return [spread(g, x, dy, window, share)];
    const repeated = g.resizeNearest(
      inBlockedLayout(g, dy) ? scaledInBlocks(g, dy, share) : scale(g, dy, share),
      window.kernel as [number, number],
    );
    return [grownTo(g, repeated, x.shape)];
  },

  // y = mean of all n pixels               x̄ = ȳ / n
  GlobalAveragePool: ({ g, in: [x], grad: [dy] }) => [
    g.expand(scale(g, dy, 1 / sizeOf(x.shape.slice(2))), x.shape),
  ],
} satisfies Record<string, Rule>;

function windowOf(node: Node, kernel: Shape): Window {
  if (!["NOTSET", "VALID"].includes(textOf(node, "auto_pad", "NOTSET"))) unsupported(node, "with auto_pad");
  const ones = kernel.map(() => 1);
  return {
    kernel,
    strides: intsOf(node, "strides", ones),
    pads: intsOf(
      node,
      "pads",
      [...kernel, ...kernel].map(() => 0),
    ),
    dilations: intsOf(node, "dilations", ones),
  };
}

/** Whether windows lie side by side: neither overlap, nor gaps, nor padding. */
function tiles(window: Window): boolean {
  return (
    sameShape(window.kernel, window.strides) &&
    window.pads.every((size) => size === 0) &&
    window.dilations.every((size) => size === 1)
  );
}

/** A convolution that sees every pixel once, in patches, as that of a vision transformer. */
function isPatches(window: Window, group: number): boolean {
  return tiles(window) && group === 1 && window.kernel.length === 2 && sizeOf(window.kernel) > 1;
}

function perChannel(g: GraphBuilder, dy: Wire): Wire {
  return g.reduceSum(
    dy,
    [...dy.shape.keys()].filter((axis) => axis !== 1),
  );
}

/** Appends zeros at the end of spatial axes that windows did not reach. */
function grownTo(g: GraphBuilder, wire: Wire, shape: Shape): Wire {
  if (sameShape(wire.shape, shape)) return wire;
  return g.pad(wire, [...shape.map(() => 0), ...shape.map((size, axis) => size - wire.shape[axis])]);
}

function inputGradient(g: GraphBuilder, x: Wire, w: Wire, dy: Wire, window: Window, group: number): Wire {
  const [block] = window.kernel;
  if (isPatches(window, group) && sameShape(window.kernel, [block, block]))
    return grownTo(g, patchGradient(g, w, dy, block), x.shape);
  const margin = window.kernel.map((size, axis) => window.dilations[axis] * (size - 1));
  const pads = [...margin, ...margin].map((size, index) => size - window.pads[index]);
  if (window.strides.some((stride) => stride > 1) || pads.some((size) => size < 0))
    return transposedConv(g, x.shape, w, dy, window, group);
  return g.conv(dy, flipped(g, w, group), undefined, { pads, dilations: window.dilations, group });
}

/** Patches do not overlap: each is one matrix product, and then they are put side by side. */
function patchGradient(g: GraphBuilder, w: Wire, dy: Wire, block: number): Wire {
  const [out, channels] = w.shape;
  const asPixels = g.reshape(g.transpose(w, [1, 2, 3, 0]), [channels * block * block, out, 1, 1]);
  return g.depthToSpace(g.conv(dy, asPixels), block);
}

/** w [O, I/group, …] as the weight [I, O/group, …] of the way back, its spatial axes reversed. */
function flipped(g: GraphBuilder, w: Wire, group: number): Wire {
  const [, , ...kernel] = w.shape;
  const spatial = kernel.flatMap((size, axis) => (size > 1 ? [axis] : []));
  const back = channelsSwapped(g, w, group);
  if (spatial.length === 0) return back;
  return g.slice(
    back,
    spatial.map(() => -1),
    spatial.map((axis) => -kernel[axis] - 1),
    spatial.map((axis) => axis + 2),
    spatial.map(() => -1),
  );
}

function channelsSwapped(g: GraphBuilder, w: Wire, group: number): Wire {
  const [out, channels, ...kernel] = w.shape;
  if (group === 1) return g.transpose(w, [1, 0, ...kernel.map((_, axis) => axis + 2)]);
  const grouped = g.reshape(w, [group, out / group, channels, ...kernel]);
  const swapped = g.transpose(grouped, [0, 2, 1, ...kernel.map((_, axis) => axis + 3)]);
  return g.reshape(swapped, [channels * group, out / group, ...kernel]);
}

function transposedConv(
  g: GraphBuilder,
  shape: Shape,
  w: Wire,
  dy: Wire,
  window: Window,
  group: number,
): Wire {
  const rank = window.kernel.length;
  const outputPadding = window.kernel.map((size, axis) => {
    const reach = window.dilations[axis] * (size - 1) + 1;
    const padded = shape[axis + 2] + window.pads[axis] + window.pads[axis + rank];
    return padded - reach - (dy.shape[axis + 2] - 1) * window.strides[axis];
  });
  return g.convTranspose(dy, w, undefined, { ...window, group, outputPadding });
}

/** The gradient of overlapping means: every output gives an equal share to its window. */
function spread(g: GraphBuilder, x: Wire, dy: Wire, window: Window, share: number): Wire {
  const channels = x.shape[1];
  const shape = [channels, 1, ...window.kernel];
  const shares = Array(writtenOut(sizeOf(shape), MOST_FACTORS)).fill(share);
  const weight = g.constant(tensorOf(x.type, shape, shares));
  return transposedConv(g, x.shape, weight, dy, window, channels);
}

/**
 * w̄[o, i, k] = Σₙₚ ȳ[n, o, p] · x[n, i, p·stride + k·dilation − pad]: one slice of x and one batched product for
 * each tap k, which beats im2col and a convolution with swapped axes unless the map is small.
 */
function weightGradient(g: GraphBuilder, x: Wire, w: Wire, dy: Wire, window: Window, group: number): Wire {
  if (isPatches(window, group)) return patchWeightGradient(g, x, w, dy, window);
  const padded = window.pads.some((size) => size !== 0)
    ? g.pad(x, [
        0,
        0,
        ...window.pads.slice(0, w.shape.length - 2),
        0,
        0,
        ...window.pads.slice(w.shape.length - 2),
      ])
    : x;
  if (group === 1 && favoursOneProduct(w, dy)) return joinedWeightGradient(g, padded, w, dy, window);
  const rows = inGroups(g, dy, group);
  const taps = positions(window.kernel).map((position) => {
    const columns = g.transposeMatrix(inGroups(g, tapOf(g, padded, dy, window, position), group));
    return g.reshape(g.reduceSum(g.matmul(rows, columns), [0]), [w.shape[0], w.shape[1], 1]);
  });
  return g.reshape(g.concat(taps, 2), w.shape);
}

/** Whether N products [O, I] and their sum cost more than moving ȳ and x, once for each tap, into one product. */
function favoursOneProduct(w: Wire, dy: Wire): boolean {
  const [outputs, channels] = w.shape;
  const pixels = sizeOf(dy.shape.slice(2));
  return outputs * channels > (outputs + channels) * pixels;
}

/** Small maps of many channels: one product of ȳ [N·P, O] and all that the taps see [N·P, taps·I]. */
function joinedWeightGradient(g: GraphBuilder, padded: Wire, w: Wire, dy: Wire, window: Window): Wire {
  const [outputs, channels, ...kernel] = w.shape;
  const seen = positions(window.kernel).map((position) => inRows(g, tapOf(g, padded, dy, window, position)));
  const byTap = g.gemm(inRows(g, dy), g.concat(seen, 1), undefined, { transA: true });
  if (seen.length === 1) return g.reshape(byTap, w.shape);
  const split = g.reshape(byTap, [outputs, ...kernel, channels]);
  return g.transpose(split, [0, kernel.length + 1, ...kernel.map((_, axis) => axis + 1)]);
}

/** [N, C, …] as [N·pixels, C]. */
function inRows(g: GraphBuilder, x: Wire): Wire {
  const [, channels, ...pixels] = x.shape;
  return g.reshape(g.transpose(x, [0, ...pixels.map((_, axis) => axis + 2), 1]), [-1, channels]);
}

/** [N, C, …] as [N, C, pixels], or [N, group, C/group, pixels] if there are groups. */
function inGroups(g: GraphBuilder, x: Wire, group: number): Wire {
  const [batch, channels] = x.shape;
  return g.reshape(x, group === 1 ? [batch, channels, -1] : [batch, group, channels / group, -1]);
}

/** What one tap of the kernel sees, for every output pixel. */
function tapOf(g: GraphBuilder, padded: Wire, dy: Wire, window: Window, position: readonly number[]): Wire {
  const starts = position.map((index, axis) => index * window.dilations[axis]);
  const ends = starts.map((start, axis) => start + (dy.shape[axis + 2] - 1) * window.strides[axis] + 1);
  const axes = position.map((_, axis) => axis + 2);
  const everything = axes.every(
    (axis, index) => starts[index] === 0 && padded.shape[axis] === dy.shape[axis],
  );
  return everything ? padded : g.slice(padded, starts, ends, axes, window.strides);
}

/** All index vectors of a box, the last axis running fastest. */
function positions(box: Shape): number[][] {
  return box.reduce<number[][]>(
    (list, size) => list.flatMap((prefix) => Array.from({ length: size }, (_, index) => [...prefix, index])),
    [[]],
  );
}

/** Patches do not overlap: one product of all patches by all outputs. */
function patchWeightGradient(
  g: GraphBuilder,
  x: Wire,
  w: Wire,
  dy: Wire,
  { kernel: [height, width] }: Window,
): Wire {
  const [batch, channels] = x.shape;
  const [, out, rows, columns] = dy.shape;
  const covered = g.slice(x, [0, 0], [rows * height, columns * width], [2, 3]);
  const tiled = g.reshape(covered, [batch, channels, rows, height, columns, width]);
  const patches = g.reshape(g.transpose(tiled, [0, 2, 4, 1, 3, 5]), [-1, channels * height * width]);
  const outputs = g.reshape(g.transpose(dy, [1, 0, 2, 3]), [out, -1]);
  return g.reshape(g.matmul(outputs, patches), w.shape);
}
