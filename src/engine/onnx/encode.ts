import { AppError } from "../../errors.ts";
import { ELEMENT_NUMBERS } from "./element-numbers.ts";
import type { Attribute, Graph, Initializer, Node, Wire } from "./graph.ts";
import { encodeMessage } from "./protobuf.ts";
import {
  ATTRIBUTE_TYPES,
  type AttributeProto,
  type GraphProto,
  modelProto,
  type NodeProto,
  type OperatorSetProto,
  type TensorProto,
  type ValueInfoProto,
} from "./schema.ts";
import { isUnknown } from "./shapes.ts";

/** Name of every open batch dimension: runtimes then know that they are equal. */
const BATCH_SYMBOL = "N";
const IR_VERSION = 9;

/**
 * A graph as the bytes of an ONNX ModelProto. File-stored constants become external data, so the result of a
 * graph over a checkpoint is a skeleton of some hundred kilobytes. A dimension of −1 is left open.
 */
export function encodeModel(graph: Graph): Uint8Array {
  return encodeMessage(modelProto, {
    irVersion: IR_VERSION,
    producer: "antidote",
    graph: encodeGraph(graph),
    operatorSets: [{ domain: "", version: graph.opset }, ...otherDomains(graph)],
    functions: [],
  });
}

/** Operators that are not standard have a version each; all in use are of their first. */
function otherDomains({ nodes }: Graph): OperatorSetProto[] {
  const domains = new Set(nodes.flatMap(({ domain }) => domain ?? []));
  return [...domains].map((domain) => ({ domain, version: 1 }));
}

/** The results of a nested graph are left to the runtime's inference: what they are depends on the outer one. */
function encodeGraph(graph: Graph, nested = false): GraphProto {
  const declared = new Set([...graph.inputs, ...graph.outputs].map((wire) => wire.name));
  const inner = [...graph.values.values()].filter(
    (wire) => !declared.has(wire.name) && !graph.initializers.has(wire.name),
  );
  return {
    name: graph.name,
    nodes: graph.nodes.map(encodeNode),
    initializers: [...graph.initializers.values()].map(encodeTensor),
    inputs: graph.inputs.map(encodeValue),
    outputs: nested
      ? graph.outputs.map(({ name }) => ({ name, type: undefined }))
      : graph.outputs.map(encodeValue),
    values: inner.map(encodeValue),
    sparse: [],
  };
}

function encodeNode(node: Node): NodeProto {
  return {
    inputs: node.inputs,
    outputs: node.outputs,
    name: node.name,
    op: node.op,
    attributes: Object.entries(node.attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
    domain: node.domain,
    overload: undefined,
  };
}

const NO_ATTRIBUTE: AttributeProto = {
  name: undefined,
  float: undefined,
  int: undefined,
  string: undefined,
  tensor: undefined,
  graph: undefined,
  floats: [],
  ints: [],
  type: undefined,
  reference: undefined,
};

function encodeAttribute(name: string, attribute: Attribute): AttributeProto {
  if (attribute.kind === "reference")
    throw new AppError(
      "INTERNAL",
      `Attribute "${name}" refers to one of a function, which was not written out.`,
    );
  const base = { ...NO_ATTRIBUTE, name, type: ATTRIBUTE_TYPES[attribute.kind] };
  switch (attribute.kind) {
    case "int":
      return { ...base, int: attribute.value };
    case "float":
      return { ...base, float: attribute.value };
    case "string":
      return { ...base, string: Buffer.from(attribute.value) };
    case "ints":
      return { ...base, ints: attribute.value };
    case "floats":
      return { ...base, floats: attribute.value };
    case "tensor":
      return { ...base, tensor: encodeTensor(attribute.value) };
    case "graph":
      return { ...base, graph: encodeGraph(attribute.value, true) };
  }
}

function encodeTensor(initializer: Initializer): TensorProto {
  const base = {
    name: initializer.name,
    dimensions: initializer.shape,
    dataType: ELEMENT_NUMBERS[initializer.type],
    floats: [],
    int32s: [],
    strings: [],
    int64s: [],
    doubles: [],
  };
  const { storage } = initializer;
  if (storage.kind === "inline")
    return {
      ...base,
      raw: { kind: "bytes", bytes: storage.bytes },
      externalData: [],
      dataLocation: undefined,
    };
  const externalData = [
    { key: "location", value: storage.file },
    { key: "offset", value: String(storage.offset) },
    { key: "length", value: String(storage.length) },
  ];
  return { ...base, raw: undefined, externalData, dataLocation: 1 };
}

function encodeValue({ name, type, shape }: Wire): ValueInfoProto {
  const dimensions = shape.map((size, axis) => ({
    value: size < 0 ? undefined : size,
    symbol: size < 0 && axis === 0 ? BATCH_SYMBOL : undefined,
  }));
  const known = isUnknown(shape) ? undefined : { dimensions };
  return { name, type: { tensor: { elementType: ELEMENT_NUMBERS[type], shape: known } } };
}

/**
 * Opens the leading dimension of one input and of every output, so that a graph built at batch 1 runs at any
 * batch. Before: no constant depends on the batch. After: inner shapes are forgotten; the runtime infers them.
 */
export function withDynamicBatch(graph: Graph, inputName: string): Graph {
  const opened = (wire: Wire): Wire => ({ ...wire, shape: [-1, ...wire.shape.slice(1)] });
  return {
    ...graph,
    inputs: graph.inputs.map((wire) => (wire.name === inputName ? opened(wire) : wire)),
    outputs: graph.outputs.map(opened),
    values: new Map(),
  };
}
