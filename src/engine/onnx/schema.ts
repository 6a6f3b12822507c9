import {
  bytes,
  float32,
  float64,
  int32,
  int64,
  type Kind,
  lazy,
  many,
  message,
  one,
  payload,
  stretches,
  string,
} from "./protobuf.ts";
import type { Payload } from "./protobuf-reader.ts";

/** The part of onnx.proto (IR version 9) that the engine reads and writes. Field numbers are the format. */

export interface DimensionProto {
  readonly value: number | undefined;
  readonly symbol: string | undefined;
}
const dimension = message<DimensionProto>({ value: one(1, int64), symbol: one(2, string) });

export interface ShapeProto {
  readonly dimensions: readonly DimensionProto[];
}
const shape = message<ShapeProto>({ dimensions: many(1, dimension) });

export interface TensorTypeProto {
  readonly elementType: number | undefined;
  readonly shape: ShapeProto | undefined;
}
const tensorType = message<TensorTypeProto>({ elementType: one(1, int32), shape: one(2, shape) });

export interface TypeProto {
  readonly tensor: TensorTypeProto | undefined;
}
const type = message<TypeProto>({ tensor: one(1, tensorType) });

export interface ValueInfoProto {
  readonly name: string | undefined;
  readonly type: TypeProto | undefined;
}
const valueInfo = message<ValueInfoProto>({ name: one(1, string), type: one(2, type) });

export interface EntryProto {
  readonly key: string | undefined;
  readonly value: string | undefined;
}
const entry = message<EntryProto>({ key: one(1, string), value: one(2, string) });

export interface TensorProto {
  readonly dimensions: readonly number[];
  readonly dataType: number | undefined;
  readonly floats: readonly Payload[];
  readonly int32s: readonly number[];
  readonly strings: readonly Uint8Array[];
  readonly int64s: readonly number[];
  readonly name: string | undefined;
  readonly raw: Payload | undefined;
  readonly doubles: readonly Payload[];
  readonly externalData: readonly EntryProto[];
  /** 1: the bytes lie in the file that externalData names. */
  readonly dataLocation: number | undefined;
}
const tensor = message<TensorProto>({
  dimensions: many(1, int64),
  dataType: one(2, int32),
  floats: stretches(4, float32),
  int32s: many(5, int32),
  strings: many(6, bytes),
  int64s: many(7, int64),
  name: one(8, string),
  raw: one(9, payload),
  doubles: stretches(10, float64),
  externalData: many(13, entry),
  dataLocation: one(14, int32),
});

export interface AttributeProto {
  readonly name: string | undefined;
  readonly float: number | undefined;
  readonly int: number | undefined;
  readonly string: Uint8Array | undefined;
  readonly tensor: TensorProto | undefined;
  readonly graph: GraphProto | undefined;
  readonly floats: readonly number[];
  readonly ints: readonly number[];
  /** One of ATTRIBUTE_TYPES. */
  readonly type: number | undefined;
  /** In a function: the attribute of the calling node that gives the value. */
  readonly reference: string | undefined;
}
export const ATTRIBUTE_TYPES = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
} as const;
const attribute = message<AttributeProto>({
  name: one(1, string),
  float: one(2, float32),
  int: one(3, int64),
  string: one(4, bytes),
  tensor: one(5, tensor),
  graph: one(
    6,
    lazy<GraphProto>(() => graph),
  ),
  floats: many(7, float32),
  ints: many(8, int64),
  type: one(20, int32),
  reference: one(21, string),
});

export interface NodeProto {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly name: string | undefined;
  readonly op: string | undefined;
  readonly attributes: readonly AttributeProto[];
  readonly domain: string | undefined;
  /** Tells functions of one name apart. */
  readonly overload: string | undefined;
}
const node = message<NodeProto>({
  inputs: many(1, string),
  outputs: many(2, string),
  name: one(3, string),
  op: one(4, string),
  attributes: many(5, attribute),
  domain: one(7, string),
  overload: one(8, string),
});

export interface GraphProto {
  readonly nodes: readonly NodeProto[];
  readonly name: string | undefined;
  readonly initializers: readonly TensorProto[];
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly ValueInfoProto[];
  readonly values: readonly ValueInfoProto[];
  readonly sparse: readonly Uint8Array[];
}
const graph: Kind<GraphProto> = message<GraphProto>({
  nodes: many(1, node),
  name: one(2, string),
  initializers: many(5, tensor),
  inputs: many(11, valueInfo),
  outputs: many(12, valueInfo),
  values: many(13, valueInfo),
  sparse: many(15, bytes),
});

export interface OperatorSetProto {
  readonly domain: string | undefined;
  readonly version: number | undefined;
}
const operatorSet = message<OperatorSetProto>({ domain: one(1, string), version: one(2, int64) });

/** An operator that the model brings along, written by others. */
export interface FunctionProto {
  readonly name: string | undefined;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly NodeProto[];
  readonly operatorSets: readonly OperatorSetProto[];
  readonly domain: string | undefined;
  /** Attributes with the value that they have where the calling node says none. */
  readonly defaults: readonly AttributeProto[];
  readonly overload: string | undefined;
}
const functionProto = message<FunctionProto>({
  name: one(1, string),
  inputs: many(4, string),
  outputs: many(5, string),
  nodes: many(7, node),
  operatorSets: many(9, operatorSet),
  domain: one(10, string),
  defaults: many(11, attribute),
  overload: one(13, string),
});

export interface ModelProto {
  readonly irVersion: number | undefined;
  readonly producer: string | undefined;
  readonly graph: GraphProto | undefined;
  readonly operatorSets: readonly OperatorSetProto[];
  readonly functions: readonly FunctionProto[];
}
export const modelProto = message<ModelProto>({
  irVersion: one(1, int64),
  producer: one(2, string),
  graph: one(7, graph),
  operatorSets: many(8, operatorSet),
  functions: many(25, functionProto),
});
