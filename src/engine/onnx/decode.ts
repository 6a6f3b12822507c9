import { AppError } from "../../errors.ts";
import { type ByteSource, memorySource } from "./byte-source.ts";
import { decodeTensor, elementTypeOf, type ModelFiles, readingBudget, refuse } from "./decode-tensor.ts";
import { type DecodedFunction, inlineFunctions, MOST_NODES } from "./functions.ts";
import type { Attribute, Graph, Node, Wire } from "./graph.ts";
import { decodeMessage } from "./protobuf.ts";
import { ProtobufReader } from "./protobuf-reader.ts";
import {
  ATTRIBUTE_TYPES,
  type AttributeProto,
  type FunctionProto,
  type GraphProto,
  type ModelProto,
  modelProto,
  type NodeProto,
  type OperatorSetProto,
  type ValueInfoProto,
} from "./schema.ts";
import { LARGEST_RANK, UNKNOWN_SHAPE } from "./shapes.ts";
import { checkGraph } from "./validate.ts";

/** Opsets whose operators the engine knows. */
const OPSETS = { oldest: 11, newest: 24 };

/**
 * The graph of an ONNX ModelProto. Weights are views of the given bytes, or references to the files that the model
 * names; open dimensions are −1. Functions that the model brings along are written out. Throws INVALID_GRAPH for
 * anything damaged, unknown or out of order, and UNSAFE_ARTIFACT for weights outside of the model's folder.
 */
export function decodeModel(bytes: Uint8Array): Graph {
  return decodeSource(memorySource(bytes), {
    file: "",
    source: memorySource(bytes),
    external: (location) => ({ file: withinFolder(location), source: undefined }),
  });
}

/** The same of a message in a file or in memory, whose weights lie where `files` says. */
export function decodeSource(source: ByteSource, files: ModelFiles): Graph {
  try {
    const model = decodeMessage(modelProto, new ProtobufReader(source));
    const opset = standardVersion(model.operatorSets);
    if (!model.graph || opset === undefined) return refuse("it holds no graph or names no operator set");
    const decoder = new Decoder(files, opset);
    const graph = decoder.model(model, model.graph);
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

/** A location of external data, which must not leave the folder. Throws UNSAFE_ARTIFACT where it does. */
export function withinFolder(location: string): string {
  const parts = location.split(/[\\/]/);
  const inside =
    location !== "" && parts.every((part) => part !== "" && part !== "..") && !/[:\0]/.test(location);
  if (inside) return parts.filter((part) => part !== ".").join("/");
  throw new AppError(
    "UNSAFE_ARTIFACT",
    `The ONNX model has weights in "${location}", which is not within the model's folder. Do not use this model.`,
    { location },
  );
}

function standardVersion(sets: readonly OperatorSetProto[]): number | undefined {
  const version = sets.find(({ domain }) => isStandard(domain))?.version;
  if (version !== undefined && (version < OPSETS.oldest || version > OPSETS.newest))
    refuse(`opset ${version} is outside of ${OPSETS.oldest} to ${OPSETS.newest}; export it again with 18`);
  return version;
}

function isStandard(domain: string | undefined): boolean {
  return domain === undefined || domain === "" || domain === "ai.onnx";
}

class Decoder {
  private readonly budget = readingBudget();

  constructor(
    private readonly files: ModelFiles,
    private readonly opset: number,
  ) {}

  model(model: ModelProto, main: GraphProto): Graph {
    const graph = this.graph(main);
    if (model.functions.length === 0) return graph;
    return inlineFunctions(
      graph,
      model.functions.map((each) => this.function(each)),
    );
  }

  private graph(proto: GraphProto): Graph {
    if (proto.sparse.length > 0) refuse("it has sparse weights");
    if (proto.nodes.length > MOST_NODES) refuse(`it has more than ${MOST_NODES} nodes`);
    const initializers = proto.initializers.map((tensor) => decodeTensor(tensor, this.files, this.budget));
    const constants = new Map(initializers.map((initializer) => [initializer.name, initializer]));
    const inputs = proto.inputs.map(decodeValue).filter((wire) => !constants.has(wire.name));
    const outputs = proto.outputs.map(decodeValue);
    const described = proto.values.filter((value) => value.type?.tensor?.shape).map(decodeValue);
    const values = [...described, ...inputs, ...outputs, ...initializers];
    return {
      name: proto.name ?? "graph",
      opset: this.opset,
      inputs,
      outputs,
      nodes: named(proto.nodes.map((node) => this.node(node))),
      initializers: constants,
      values: new Map(values.map(({ name, type, shape }) => [name, { name, type, shape }])),
    };
  }

  private function(proto: FunctionProto): DecodedFunction {
    const opset = standardVersion(proto.operatorSets) ?? this.opset;
    return {
      ...functionKey(proto.domain, proto.name, proto.overload),
      inputs: proto.inputs,
      outputs: proto.outputs,
      nodes: proto.nodes.map((node) => ({ ...this.node(node), ...(opset === this.opset ? {} : { opset }) })),
      defaults: Object.fromEntries(
        proto.defaults.map((each) => [each.name ?? "", this.attribute(proto.name ?? "", each)]),
      ),
    };
  }

  private node(proto: NodeProto): Node {
    if (!proto.op) refuse(`node "${proto.name ?? ""}" names no operator`);
    const { op, domain } = functionKey(proto.domain, proto.op, proto.overload);
    const attributes = proto.attributes.map((each) => [each.name ?? "", this.attribute(op, each)]);
    return {
      op,
      ...(domain === "" ? {} : { domain }),
      name: proto.name ?? "",
      inputs: proto.inputs,
      outputs: proto.outputs,
      attributes: Object.fromEntries(attributes),
    };
  }

  private attribute(op: string, attribute: AttributeProto): Attribute {
    if (attribute.reference) return { kind: "reference", value: attribute.reference };
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
        if (attribute.tensor)
          return { kind: "tensor", value: decodeTensor(attribute.tensor, this.files, this.budget) };
        break;
      case ATTRIBUTE_TYPES.graph:
        if (attribute.graph) return { kind: "graph", value: this.graph(attribute.graph) };
        break;
    }
    return refuse(`attribute "${attribute.name}" of ${op} has an unknown type`);
  }
}

/** Standard operators have the empty domain; an overload is part of the name. */
function functionKey(domain = "", name = "", overload = ""): { op: string; domain: string } {
  return { op: overload === "" ? name : `${name}:${overload}`, domain: isStandard(domain) ? "" : domain };
}

/** Nodes without a name, or with one that was there before, are named after what they make. */
function named(nodes: readonly Node[]): Node[] {
  const taken = new Set<string>();
  const repeats = new Map<string, number>();
  return nodes.map((node) => {
    const wanted = node.name === "" || taken.has(node.name) ? `${node.op}_${node.outputs[0]}` : node.name;
    let name = wanted;
    // Counted on from where the last one ended: thousands of nodes may want the same name.
    let count = repeats.get(wanted) ?? 1;
    while (taken.has(name)) name = `${wanted}_${++count}`;
    repeats.set(wanted, count);
    taken.add(name);
    return { ...node, name };
  });
}

function decodeValue(proto: ValueInfoProto): Wire {
  const tensor = proto.type?.tensor;
  const dimensions = tensor?.shape?.dimensions;
  if ((dimensions?.length ?? 0) > LARGEST_RANK) refuse(`"${proto.name}" has ${dimensions?.length} axes`);
  const shape =
    dimensions?.map(({ value }) => (value === undefined || value < 0 ? -1 : value)) ?? UNKNOWN_SHAPE;
  // Results of a subgraph may be undescribed; whoever inlines it learns what they are.
  const type = tensor?.elementType ? elementTypeOf(tensor.elementType, proto.name) : "float32";
  return { name: proto.name ?? "", type, shape };
}
