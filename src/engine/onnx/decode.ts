import { BinaryReader } from "@bufbuild/protobuf/wire";
import { AppError } from "../../errors.ts";
import { ELEMENT_NUMBERS } from "./element-numbers.ts";
import type { Attribute, ElementType, Graph, Initializer, Node, Shape, Storage, Wire } from "./graph.ts";
import { decodeMessage } from "./protobuf.ts";
import {
  ATTRIBUTE_TYPES,
  type AttributeProto,
  type GraphProto,
  modelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from "./schema.ts";
import { UNKNOWN_SHAPE } from "./shapes.ts";
import { bytesOf, elementBytes, sizeOf, tensorOf } from "./tensor.ts";
import { checkGraph } from "./validate.ts";

/** Opsets whose operators mean what the engine takes them to mean. */
const OPSETS = { oldest: 13, newest: 21 };

/**
 * The graph of an ONNX ModelProto. Weights are views of the given bytes, or references to the files that the model
 * names; open dimensions are −1. Throws INVALID_GRAPH for anything damaged, unknown or out of order.
 */
export function decodeModel(bytes: Uint8Array): Graph {
  try {
    const model = decodeMessage(modelProto, new BinaryReader(bytes));
    const opset = model.operatorSets.find(({ domain }) => isStandard(domain))?.version;
    if (!model.graph || opset === undefined) return refuse("it holds no graph or names no operator set");
    if (opset < OPSETS.oldest || opset > OPSETS.newest)
      return refuse(
        `opset ${opset} is outside of ${OPSETS.oldest} to ${OPSETS.newest}; export it again with 18`,
      );
    const graph = decodeGraph(model.graph, opset);
    checkGraph(graph);
    return graph;
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError(
      "INVALID_GRAPH",
      `This is not an ONNX model, or a damaged one: ${reason}.`,
      {},
      { cause },
    );
  }
}

function refuse(reason: string): never {
  throw new AppError("INVALID_GRAPH", `The ONNX model cannot be used: ${reason}.`);
}

function isStandard(domain: string | undefined): boolean {
  return domain === undefined || domain === "" || domain === "ai.onnx";
}

function decodeGraph(proto: GraphProto, opset: number): Graph {
  const initializers = proto.initializers.map(decodeTensor);
  const constants = new Map(initializers.map((initializer) => [initializer.name, initializer]));
  const inputs = proto.inputs.map(decodeValue).filter((wire) => !constants.has(wire.name));
  const outputs = proto.outputs.map(decodeValue);
  const described = proto.values.filter((value) => value.type?.tensor?.shape).map(decodeValue);
  const values = [...described, ...inputs, ...outputs, ...initializers];
  return {
    name: proto.name ?? "graph",
    opset,
    inputs,
    outputs,
    nodes: named(proto.nodes.map((node) => decodeNode(node, opset))),
    initializers: constants,
    values: new Map(values.map(({ name, type, shape }) => [name, { name, type, shape }])),
  };
}

/** Nodes without a name, or with one that was there before, are named after what they make. */
function named(nodes: readonly Node[]): Node[] {
  const taken = new Set<string>();
  return nodes.map((node) => {
    let name = node.name === "" || taken.has(node.name) ? `${node.op}_${node.outputs[0]}` : node.name;
    while (taken.has(name)) name = `${name}_`;
    taken.add(name);
    return { ...node, name };
  });
}

function decodeNode(proto: NodeProto, opset: number): Node {
  if (!proto.op) refuse(`node "${proto.name ?? ""}" names no operator`);
  if (!isStandard(proto.domain))
    refuse(`node "${proto.name}" uses ${proto.op} of ${proto.domain}, which is not standard`);
  const attributes = proto.attributes.map((attribute) => [
    attribute.name ?? "",
    decodeAttribute(proto, attribute, opset),
  ]);
  return {
    op: proto.op,
    name: proto.name ?? "",
    inputs: proto.inputs,
    outputs: proto.outputs,
    attributes: Object.fromEntries(attributes),
  };
}

function decodeAttribute(node: NodeProto, attribute: AttributeProto, opset: number): Attribute {
  switch (attribute.type) {
    case ATTRIBUTE_TYPES.int:
      return { kind: "int", value: attribute.int ?? 0 };
    case ATTRIBUTE_TYPES.float:
      return { kind: "float", value: attribute.float ?? 0 };
    case ATTRIBUTE_TYPES.string:
      return { kind: "string", value: Buffer.from(attribute.string ?? []).toString() };
    case ATTRIBUTE_TYPES.ints:
      return { kind: "ints", value: attribute.ints };
    case ATTRIBUTE_TYPES.floats:
      return { kind: "floats", value: attribute.floats };
    case ATTRIBUTE_TYPES.tensor:
      if (attribute.tensor) return { kind: "tensor", value: decodeTensor(attribute.tensor) };
      break;
    case ATTRIBUTE_TYPES.graph:
      if (attribute.graph) return { kind: "graph", value: decodeGraph(attribute.graph, opset) };
      break;
  }
  return refuse(`attribute "${attribute.name}" of ${node.op} (node "${node.name}") has an unknown type`);
}

const ELEMENT_TYPES = new Map(
  Object.entries(ELEMENT_NUMBERS).map(([type, number]) => [number, type as ElementType]),
);

function elementTypeOf(number: number | undefined, name: string | undefined): ElementType {
  return (
    ELEMENT_TYPES.get(number ?? 0) ?? refuse(`"${name}" has element type ${number}, which is not supported`)
  );
}

function decodeValue(proto: ValueInfoProto): Wire {
  const tensor = proto.type?.tensor;
  const dimensions = tensor?.shape?.dimensions;
  const shape =
    dimensions?.map(({ value }) => (value === undefined || value < 0 ? -1 : value)) ?? UNKNOWN_SHAPE;
  // Results of a subgraph may be undescribed; whoever inlines it learns what they are.
  const type = tensor?.elementType ? elementTypeOf(tensor.elementType, proto.name) : "float32";
  return { name: proto.name ?? "", type, shape };
}

function decodeTensor(proto: TensorProto): Initializer {
  const name = proto.name ?? "";
  const type = elementTypeOf(proto.dataType, name);
  const shape = proto.dimensions;
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0))
    refuse(`"${name}" has shape [${shape}]`);
  if (type === "string") refuse(`"${name}" holds strings`);
  const expected = sizeOf(shape) * elementBytes(type);
  const storage =
    proto.dataLocation === 1 ? externalStorage(proto, expected) : inlineStorage(proto, type, shape);
  const length = storage.kind === "file" ? storage.length : storage.bytes.length;
  if (length !== expected)
    refuse(`"${name}" has ${length} bytes where its shape [${shape}] needs ${expected}`);
  return { name, type, shape, storage };
}

function inlineStorage(proto: TensorProto, type: ElementType, shape: Shape): Storage {
  if (proto.raw) return { kind: "inline", bytes: proto.raw };
  const values =
    [proto.floats, proto.int32s, proto.int64s, proto.doubles].find((list) => list.length > 0) ?? [];
  if (type === "float16" || type === "bfloat16")
    return { kind: "inline", bytes: new Uint8Array(Uint16Array.from(values).buffer) };
  if (type === "int8") return { kind: "inline", bytes: new Uint8Array(Int8Array.from(values).buffer) };
  if (values.length !== sizeOf(shape))
    refuse(`"${proto.name}" has ${values.length} elements where its shape is [${shape}]`);
  return { kind: "inline", bytes: bytesOf(tensorOf(type, shape, values)) };
}

function externalStorage(proto: TensorProto, expected: number): Storage {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const file = entries.get("location") ?? "";
  const offset = Number(entries.get("offset") ?? 0);
  const length = Number(entries.get("length") ?? expected);
  const inside =
    file !== "" && !file.startsWith("/") && !file.split(/[\\/]/).includes("..") && !file.includes(":");
  if (!inside) refuse(`"${proto.name}" lies in "${file}", which is not within the model's folder`);
  if (!Number.isSafeInteger(offset) || offset < 0)
    refuse(`"${proto.name}" lies at offset ${offset} of "${file}"`);
  return { kind: "file", file, offset, length };
}
