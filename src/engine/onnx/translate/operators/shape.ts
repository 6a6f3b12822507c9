import { int, intOf, intsOf, text, textOf } from "../../attributes.ts";
import type { Node, Shape, Wire } from "../../graph.ts";
import { writtenOut } from "../../passes/constants.ts";
import { axisOf, sameShape } from "../../shapes.ts";
import { fromBytes, sizeOf, tensorOf, toNumbers } from "../../tensor.ts";
import { cannot, known, knownIfThere, type OperatorContext, type OperatorTable } from "../operator.ts";

export const shape: OperatorTable = {
  Shape: ({ g, node, in: [x] }) => {
    const rank = x.shape.length;
    return g.integers(x.shape.slice(intOf(node, "start", 0), intOf(node, "end", rank)));
  },
  Size: ({ g, in: [x] }) => g.constant(tensorOf("int64", [], [sizeOf(x.shape)])),
  ConstantOfShape: (context) => {
    const { value } = context.node.attributes;
    if (value?.kind !== "tensor") return context.g.filled(known(context, 0), 0);
    const { type, shape: one, storage } = value.value;
    if (storage.kind !== "inline" || type === "float16" || type === "bfloat16")
      return cannot(context.node, `fills with ${type}`);
    const [filler] = toNumbers(fromBytes(type, one, storage.bytes));
    return filled(context, known(context, 0), filler, type.includes("float") ? context.g.float : type);
  },
  Range: (context) => {
    const [start, limit, delta] = [0, 1, 2].map((index) => known(context, index)[0]);
    const length = writtenOut(Math.max(0, Math.ceil((limit - start) / delta)));
    const values = Array.from({ length }, (_, index) => start + index * delta);
    return context.g.constant(tensorOf(context.in[0].type, [length], values));
  },

  Reshape: (context) => {
    const {
      g,
      node,
      in: [x],
      sizes,
    } = context;
    const wanted = known(context, 1);
    const copies = intOf(node, "allowzero", 0) === 0;
    const resolved = wanted.map((size, axis) => (size === 0 && copies ? x.shape[axis] : size));
    return g.reshape(x, sizes.target(node, x, withRest(x.shape, resolved)));
  },
  Flatten: ({ g, node, in: [x] }) => {
    const axis = intOf(node, "axis", 1);
    const from = axis < 0 ? axis + x.shape.length : axis;
    return g.reshape(x, [sizeOf(x.shape.slice(0, from)), sizeOf(x.shape.slice(from))]);
  },
  Squeeze: (context) => {
    const axes = context.opset < 13 ? intsOf(context.node, "axes", []) : knownIfThere(context, 1);
    return context.g.squeeze(context.in[0], axes ?? []);
  },
  Unsqueeze: (context) => {
    const axes = context.opset < 13 ? intsOf(context.node, "axes", []) : known(context, 1);
    return context.g.unsqueeze(context.in[0], axes);
  },
  Transpose: ({ g, node, in: [x] }) => {
    const permutation = intsOf(node, "perm", [...x.shape.keys()].toReversed());
    return permutation.every((axis, index) => axis === index) ? x : g.transpose(x, permutation);
  },
  Expand: ({ g, node, in: list, sizes, ...rest }) => {
    const [x] = list;
    const wanted = sizes.target(node, x, known({ g, node, in: list, sizes, ...rest }, 1));
    return g.expand(x, broadcastTo(x.shape, wanted));
  },
  Tile: (context) => {
    const {
      g,
      in: [x],
    } = context;
    const repeats = known(context, 1);
    if (repeats.every((count) => count === 1)) return x;
    // [a, b] as [1, a, 1, b], repeated, and together again: forms that have gradients.
    const apart = g.reshape(
      x,
      x.shape.flatMap((size) => [1, size]),
    );
    const repeated = g.expand(
      apart,
      x.shape.flatMap((size, axis) => [repeats[axis], size]),
    );
    return g.reshape(
      repeated,
      x.shape.map((size, axis) => size * repeats[axis]),
    );
  },

  Slice: (context) => {
    const {
      g,
      in: [x],
    } = context;
    const rank = x.shape.length;
    const starts = known(context, 1);
    const axes = knownIfThere(context, 3) ?? starts.map((_, axis) => axis);
    const normal = axes.map((axis) => axisOf(axis, rank));
    const sliced = g.slice(
      x,
      starts,
      known(context, 2),
      normal,
      knownIfThere(context, 4) ?? starts.map(() => 1),
    );
    const backwards = knownIfThere(context, 4)?.some((step) => step < 0) ?? false;
    return sameShape(sliced.shape, x.shape) && !backwards ? x : sliced;
  },
  Concat: ({ g, node, in: list, sizes }) => {
    const axis = axisOf(intOf(node, "axis", 0), list[0].shape.length);
    const aligned = sizes.join(list, axis).filter((wire) => wire.shape[axis] > 0);
    return aligned.length === 0 ? list[0] : g.concat(aligned, axis);
  },
  Split: (context) => {
    const {
      g,
      node,
      opset,
      in: [x],
    } = context;
    const axis = axisOf(intOf(node, "axis", 0), x.shape.length);
    const listed = opset < 13 ? intsOf(node, "split", []) : knownIfThere(context, 1);
    const count = intOf(node, "num_outputs", node.outputs.length);
    const isListed = listed !== undefined && listed.length > 0;
    if ((isListed ? listed.length : count) !== node.outputs.length)
      cannot(node, `has ${node.outputs.length} outputs for another number of pieces`);
    if (isListed) return g.split(x, listed, axis);
    const piece = Math.ceil(x.shape[axis] / count);
    const equal = node.outputs.map((_, index) => Math.min(piece, x.shape[axis] - index * piece));
    return g.split(x, equal, axis);
  },
  Pad: (context) => {
    const {
      g,
      node,
      in: [x, , value, listed],
    } = context;
    const axes = listed ? known(context, 3).map((axis) => axisOf(axis, x.shape.length)) : [...x.shape.keys()];
    const given = known(context, 1);
    const pads = Array<number>(2 * x.shape.length).fill(0);
    axes.forEach((axis, index) => {
      pads[axis] = given[index];
      pads[axis + x.shape.length] = given[index + axes.length];
    });
    if (pads.every((size) => size === 0)) return x;
    const mode = textOf(node, "mode", "constant");
    if (mode === "constant") return g.pad(x, pads, value ? known(context, 2)[0] : 0);
    const padded = x.shape.map((size, axis) => size + pads[axis] + pads[axis + x.shape.length]);
    return g.one("Pad", [x, g.integers(pads)], padded, { mode: text(mode) });
  },

  DepthToSpace: ({ g, node, in: [x] }) => {
    const block = intOf(node, "blocksize", 1);
    const [batch, channels, height, width] = x.shape;
    const result = [batch, channels / (block * block), height * block, width * block];
    return g.one("DepthToSpace", [x], result, {
      blocksize: int(block),
      mode: text(textOf(node, "mode", "DCR")),
    });
  },
  SpaceToDepth: ({ g, node, in: [x] }) => {
    const block = intOf(node, "blocksize", 1);
    const [batch, channels, height, width] = x.shape;
    const [rows, columns] = [height / block, width / block];
    const apart = g.reshape(x, [batch, channels, rows, block, columns, block]);
    return g.reshape(g.transpose(apart, [0, 3, 5, 1, 2, 4]), [
      batch,
      channels * block * block,
      rows,
      columns,
    ]);
  },
  Resize: (context) => resized(context),

  Trilu: (context) => {
    const {
      g,
      node,
      in: [x, diagonal],
    } = context;
    const upper = { upper: int(intOf(node, "upper", 1)) };
    if (!/float/.test(x.type) || g.isInline(x))
      return g.one("Trilu", diagonal ? [x, diagonal] : [x], x.shape, upper);
    const ones = g.filled(x.shape.slice(-2), 1, g.float);
    const mask = g.one("Trilu", diagonal ? [ones, diagonal] : [ones], ones.shape, upper);
    return g.mul(x, mask);
  },
  CumSum: ({ g, node, in: [x, axis] }) => {
    const attributes = {
      exclusive: int(intOf(node, "exclusive", 0)),
      reverse: int(intOf(node, "reverse", 0)),
    };
    return g.one("CumSum", [x, axis], x.shape, attributes);
  },
  EyeLike: ({ g, node, in: [x] }) => {
    const offset = intOf(node, "k", 0);
    const [rows, columns] = x.shape;
    const cells = Array.from({ length: writtenOut(rows * columns) }, (_, cell) =>
      (cell % columns) - Math.floor(cell / columns) === offset ? 1 : 0,
    );
    return g.constant(tensorOf(g.float, [rows, columns], cells));
  },
  OneHot: (context) => {
    const {
      g,
      node,
      in: [indices, , values],
    } = context;
    const [depth] = known(context, 1);
    const axis = axisOf(intOf(node, "axis", -1), indices.shape.length + 1);
    const along = indices.shape.toSpliced(axis, 0, 1);
    const classes = along.map((_, index) => (index === axis ? depth : 1));
    const numbers = g.constant(tensorOf(indices.type, classes, [...Array(writtenOut(depth)).keys()]));
    const chosen = g.equal(g.reshape(indices, along), numbers);
    return g.where(chosen, g.gather(values, g.integers([1])), g.gather(values, g.integers([0])));
  },
  NonZero: (context) => {
    const {
      g,
      in: [x],
    } = context;
    const strides = x.shape.map((_, axis) => sizeOf(x.shape.slice(axis + 1)));
    const places = known(context, 0).flatMap((value, index) => (value === 0 ? [] : [index]));
    writtenOut(strides.length * places.length);
    const rows = strides.flatMap((stride, axis) =>
      places.map((place) => Math.floor(place / stride) % x.shape[axis]),
    );
    return g.constant(tensorOf("int64", [x.shape.length, places.length], rows));
  },
};

/** −1 as what is left. */
function withRest(from: Shape, to: Shape): Shape {
  const given = sizeOf(to.filter((size) => size !== -1));
  return to.map((size) => (size === -1 ? sizeOf(from) / given : size));
}

/** What Expand makes of a value: a wanted size of 1 leaves an axis as it is. */
function broadcastTo(from: Shape, wanted: Shape): Shape {
  const rank = Math.max(from.length, wanted.length);
  const aligned = (list: Shape, axis: number) => list[axis - rank + list.length] ?? 1;
  return Array.from({ length: rank }, (_, axis) =>
    aligned(wanted, axis) === 1 ? aligned(from, axis) : aligned(wanted, axis),
  );
}

function filled({ g }: OperatorContext, size: Shape, value: number, type: Wire["type"]): Wire {
  return size.length === 0 || sizeOf(size) === 0
    ? g.constant(tensorOf(type, size, Array(sizeOf(size)).fill(value)))
    : g.filled(size, value, type);
}

/** Whether a nearest Resize by whole factors takes, for every pixel, the one that it lies in. */
function repeatsPixels(node: Node): boolean {
  const coordinates = textOf(node, "coordinate_transformation_mode", "half_pixel");
  const rounding = textOf(node, "nearest_mode", "round_prefer_floor");
  // (x + ½) / f − ½ is never half way between two pixels, so it does not matter what rounding prefers.
  if (/^(pytorch_)?half_pixel(_symmetric)?$/.test(coordinates)) return rounding.startsWith("round_");
  return /^(asymmetric|tf_half_pixel_for_nn)$/.test(coordinates) && rounding === "floor";
}

function resized(context: OperatorContext): Wire {
  const [scales, listed] = [knownIfThere(context, 2), knownIfThere(context, 3)];
  const {
    g,
    node,
    in: [x],
  } = context;
  if (node.attributes.axes || node.attributes.keep_aspect_ratio_policy) cannot(node, "names axes");
  const wanted = listed ?? x.shape.map((size, axis) => Math.floor(size * (scales?.[axis] ?? 1)));
  if (sameShape(wanted, x.shape)) return x;
  const factors = wanted.map((size, axis) => size / x.shape[axis]);
  const mode = textOf(node, "mode", "nearest");
  const whole =
    factors.every(Number.isInteger) && factors[0] === 1 && factors[1] === 1 && x.shape.length === 4;
  if (mode === "nearest" && whole && repeatsPixels(node)) return g.resizeNearest(x, [factors[2], factors[3]]);
  const kept = [
    "coordinate_transformation_mode",
    "nearest_mode",
    "cubic_coeff_a",
    "exclude_outside",
    "antialias",
  ];
  const attributes = Object.fromEntries(
    Object.entries(node.attributes).filter(([name]) => kept.includes(name)),
  );
  const inputs = [x, undefined, undefined, g.integers(wanted)];
  return g.one("Resize", inputs, wanted, { ...attributes, mode: text(mode) });
}
