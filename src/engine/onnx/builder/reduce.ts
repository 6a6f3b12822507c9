import { int } from "../attributes.ts";
import type { Shape, Wire } from "../graph.ts";
import { axisOf, reduceShape, sameShape } from "../shapes.ts";
import { ShapeBuilder } from "./shape.ts";

export interface ReduceOptions {
  /** Keeps reduced axes with size 1; false by default. */
  readonly keepDimensions?: boolean;
}

type ReduceOp = "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceL2";

/** Operators that make one number of many. No axes means all of them. */
export class ReduceBuilder extends ShapeBuilder {
  reduceSum(x: Wire, axes: readonly number[] = [], options: ReduceOptions = {}): Wire {
    return this.reduce("ReduceSum", x, axes, options);
  }

  reduceMean(x: Wire, axes: readonly number[] = [], options: ReduceOptions = {}): Wire {
    return this.reduce("ReduceMean", x, axes, options);
  }

  reduceMax(x: Wire, axes: readonly number[] = [], options: ReduceOptions = {}): Wire {
    return this.reduce("ReduceMax", x, axes, options);
  }

  reduceMin(x: Wire, axes: readonly number[] = [], options: ReduceOptions = {}): Wire {
    return this.reduce("ReduceMin", x, axes, options);
  }

  /** Euclidean norm. */
  reduceL2(x: Wire, axes: readonly number[] = [], options: ReduceOptions = {}): Wire {
    return this.reduce("ReduceL2", x, axes, options);
  }

  /** Index (int64) of the largest element on an axis, the first among equals. */
  argmax(x: Wire, axis: number, { keepDimensions = false }: ReduceOptions = {}): Wire {
    const shape = reduceShape(x.shape, [axis], keepDimensions);
    const attributes = { axis: int(axis), keepdims: int(keepDimensions ? 1 : 0) };
    return this.one("ArgMax", [x], shape, attributes, "int64");
  }

  softmax(x: Wire, axis = -1): Wire {
    axisOf(axis, x.shape.length);
    return this.one("Softmax", [x], x.shape, { axis: int(axis) });
  }

  /** In its parts for WebGPU, where ONNX Runtime has no LogSoftmax and would carry x to the CPU and back. */
  logSoftmax(x: Wire, axis = -1): Wire {
    const place = axisOf(axis, x.shape.length);
    if (this.provider === "webgpu") {
      const keep = { keepDimensions: true };
      const shifted = this.sub(x, this.detach(this.reduceMax(x, [place], keep)));
      return this.sub(shifted, this.log(this.reduceSum(this.exp(shifted), [place], keep)));
    }
    return this.one("LogSoftmax", [x], x.shape, { axis: int(axis) });
  }

  /** x / ‖x‖ along an axis. */
  normalize(x: Wire, axis = -1): Wire {
    return this.div(x, this.reduceL2(x, [axis], { keepDimensions: true }));
  }

  /** Sums out what broadcasting added, so that the result has the given shape. */
  sumTo(x: Wire, shape: Shape): Wire {
    if (sameShape(x.shape, shape)) return x;
    const added = x.shape.length - shape.length;
    const axes = x.shape.flatMap((size, axis) =>
      axis < added || (shape[axis - added] === 1 && size !== 1) ? [axis] : [],
    );
    const summed = axes.length === 0 ? x : this.reduceSum(x, axes, { keepDimensions: added === 0 });
    return sameShape(summed.shape, shape) ? summed : this.reshape(summed, shape);
  }

  private reduce(op: ReduceOp, x: Wire, axes: readonly number[], options: ReduceOptions): Wire {
    const keepDimensions = options.keepDimensions ?? false;
    const shape = reduceShape(x.shape, axes, keepDimensions);
    const inputs = axes.length === 0 ? [x] : [x, this.integers(axes)];
    return this.one(op, inputs, shape, { keepdims: int(keepDimensions ? 1 : 0) });
  }
}
