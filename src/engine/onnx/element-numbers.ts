import type { ElementType } from "./graph.ts";

/** ONNX's numbers of element types (TensorProto.DataType). */
export const ELEMENT_NUMBERS: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

export const ELEMENT_TYPES: ReadonlyMap<number, ElementType> = new Map(
  Object.entries(ELEMENT_NUMBERS).map(([type, number]) => [number, type as ElementType]),
);
