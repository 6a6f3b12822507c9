import { int, ints, text } from "../attributes.ts";
import type { Shape, Wire } from "../graph.ts";
import {
  axisOf,
  broadcast,
  concatShape,
  gatherShape,
  padShape,
  reshapeShape,
  sameShape,
  sliceShape,
  squeezeShape,
  transposeShape,
  unsqueezeShape,
} from "../shapes.ts";
import { sizeOf } from "../tensor.ts";
import { ElementwiseBuilder } from "./elementwise.ts";

/** Operators that move elements without changing them. */
export class ShapeBuilder extends ElementwiseBuilder {
  /** 0 copies an axis and −1 takes the rest, so a leading batch axis can stay open. */
  reshape(x: Wire, shape: Shape): Wire {
    const result = reshapeShape(x.shape, shape);
    return sameShape(x.shape, result) ? x : this.one("Reshape", [x, this.integers(shape)], result);
  }

  /** Reverses the axes unless a permutation is given. */
  transpose(
    x: Wire,
    permutation: readonly number[] = x.shape.map((_, axis) => x.shape.length - 1 - axis),
  ): Wire {
    return this.one("Transpose", [x], transposeShape(x.shape, permutation), { perm: ints(permutation) });
  }

  /** Swaps the last two axes. */
  transposeMatrix(x: Wire): Wire {
    const rank = x.shape.length;
    return this.transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
  }

  /** Python's x[start:end:step] on each of the axes (all leading ones by default); ends may exceed the size. */
  slice(
    x: Wire,
    starts: readonly number[],
    ends: readonly number[],
    axes: readonly number[] = starts.map((_, axis) => axis),
    steps: readonly number[] = starts.map(() => 1),
  ): Wire {
    const shape = sliceShape(x.shape, starts, ends, axes, steps);
    const lists = [starts, ends, axes, steps].map((list) => this.integers(list));
    return this.one("Slice", [x, ...lists], shape);
  }

  concat(list: readonly Wire[], axis: number): Wire {
    if (list.length === 1) return list[0];
    const shapes = list.map((wire) => wire.shape);
    return this.one("Concat", list, concatShape(shapes, axis), { axis: int(axis) });
  }

  /** Cuts an axis into pieces of the given sizes. */
  split(x: Wire, sizes: readonly number[], axis: number): Wire[] {
    const normal = axisOf(axis, x.shape.length);
    const shapes = sizes.map((size) => x.shape.map((whole, index) => (index === normal ? size : whole)));
    concatShape([x.shape], axis);
    const outputs = shapes.map((shape) => ({ type: x.type, shape }));
    return this.node("Split", [x, this.integers(sizes)], { axis: int(axis) }, outputs);
  }

  /** Removes the axes of size 1 that are named, or all of them. */
  squeeze(x: Wire, axes: readonly number[] = []): Wire {
    const shape = squeezeShape(x.shape, axes);
    return this.one("Squeeze", axes.length === 0 ? [x] : [x, this.integers(axes)], shape);
  }

  unsqueeze(x: Wire, axes: readonly number[]): Wire {
    return this.one("Unsqueeze", [x, this.integers(axes)], unsqueezeShape(x.shape, axes));
  }

  /** Broadcasts x against a shape. */
  expand(x: Wire, shape: Shape): Wire {
    if (sameShape(x.shape, shape)) return x;
    return this.one("Expand", [x, this.integers(shape)], broadcast(x.shape, shape));
  }

  /** Surrounds x with a value: pads hold the begin of every axis, then the end of every axis. */
  pad(x: Wire, pads: readonly number[], value = 0): Wire {
    const fill = this.operands([x, value])[1];
    const inputs = value === 0 ? [x, this.integers(pads)] : [x, this.integers(pads), fill];
    return this.one("Pad", inputs, padShape(x.shape, pads), { mode: text("constant") });
  }

  /** data.take(indices, axis): the axis is replaced by the axes of the indices (int64). */
  gather(data: Wire, indices: Wire, axis = 0): Wire {
    return this.one("Gather", [data, indices], gatherShape(data.shape, indices.shape, axis), {
      axis: int(axis),
    });
  }

  /** One element of an axis for every element of the indices, which have the rank of the data. */
  gatherElements(data: Wire, indices: Wire, axis: number): Wire {
    return this.one("GatherElements", [data, indices], indices.shape, { axis: int(axis) });
  }

  /** Slices of data: the last axis of the indices addresses the leading axes of the data. */
  gatherNd(data: Wire, indices: Wire): Wire {
    const depth = indices.shape[indices.shape.length - 1];
    const shape = [...indices.shape.slice(0, -1), ...data.shape.slice(depth)];
    return this.one("GatherND", [data, indices], shape);
  }

  /** data with updates added at indices, addressed as by gatherNd; equal indices add up. */
  scatterNdAdd(data: Wire, indices: Wire, updates: Wire): Wire {
    return this.one("ScatterND", [data, indices, updates], data.shape, { reduction: text("add") });
  }

  /** data with updates added, addressed as by gatherElements; equal indices add up. */
  scatterElementsAdd(data: Wire, indices: Wire, updates: Wire, axis: number): Wire {
    const attributes = { axis: int(axis), reduction: text("add") };
    return this.one("ScatterElements", [data, indices, updates], data.shape, attributes);
  }

  /** Repeats every pixel of [N,C,H,W] by whole factors. */
  resizeNearest(x: Wire, factors: readonly [number, number]): Wire {
    const scales = this.constant({ type: "float32", shape: [4], data: new Float32Array([1, 1, ...factors]) });
    const shape = [x.shape[0], x.shape[1], x.shape[2] * factors[0], x.shape[3] * factors[1]];
    return this.one("Resize", [x, undefined, scales], shape, {
      mode: text("nearest"),
      coordinate_transformation_mode: text("asymmetric"),
      nearest_mode: text("floor"),
    });
  }

  /** [N, C·b·b, H, W] to [N, C, H·b, W·b]; the channel axis holds (C, row, column), as in PyTorch's pixel shuffle. */
  depthToSpace(x: Wire, block: number): Wire {
    const [batch, channels, height, width] = x.shape;
    const shape = [batch, channels / (block * block), height * block, width * block];
    return this.one("DepthToSpace", [x], shape, { blocksize: int(block), mode: text("CRD") });
  }

  /** Flattens all axes but the first, which stays open. */
  flatten(x: Wire): Wire {
    return this.reshape(x, [0, sizeOf(x.shape.slice(1))]);
  }
}
