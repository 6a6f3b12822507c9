/** Values of the reference interpreter: float64 whatever the graph says, booleans as 0 and 1. */
export interface Value {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export type Index = readonly number[];

export function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** A value from a function of the index. */
export function make(shape: readonly number[], element: (index: Index) => number): Value {
  const data = new Float64Array(count(shape));
  const index = shape.map(() => 0);
  for (let position = 0; position < data.length; position += 1) {
    data[position] = element(index);
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      index[axis] += 1;
      if (index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
  return { shape, data };
}

/** Calls for every index of a shape; the array is reused. */
export function each(shape: readonly number[], visit: (index: Index) => void): void {
  make(shape, (index) => {
    visit(index);
    return 0;
  });
}

export function offsetOf(shape: readonly number[], index: Index): number {
  return index.reduce((offset, position, axis) => offset * shape[axis] + position, 0);
}

export function at(value: Value, index: Index): number {
  return value.data[offsetOf(value.shape, index)];
}

/** The element that broadcasting puts at an index of a larger shape. */
export function broadcastAt(value: Value, index: Index): number {
  const skipped = index.length - value.shape.length;
  return at(
    value,
    value.shape.map((size, axis) => (size === 1 ? 0 : index[axis + skipped])),
  );
}

/** Zero outside of the value. */
export function paddedAt(value: Value, index: Index): number {
  return index.every((position, axis) => position >= 0 && position < value.shape[axis])
    ? at(value, index)
    : 0;
}
