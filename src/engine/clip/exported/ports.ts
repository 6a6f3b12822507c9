import { AppError } from "../../../errors.ts";
import type { Graph, Wire } from "../../onnx/graph.ts";
import { isUnknown } from "../../onnx/shapes.ts";
import type { Dependence } from "./dependence.ts";

/** A tower within an exported graph: where its data enters, and where its features leave. */
export interface Port {
  readonly graph: Graph;
  readonly dependence: Dependence;
  readonly input: Wire;
  /** The name of the value that is the features [N, D]. */
  readonly output: string;
}

type Side = "image" | "text";

const WORDS: Readonly<Record<Side, { input: RegExp; embedding: RegExp; call: string }>> = {
  image: {
    input: /pixel|image/i,
    embedding: /^(image|img|visual|vision)[-_. ]?(embed|feature|embedding)s?/i,
    call: "CLIPVisionModelWithProjection",
  },
  text: {
    input: /input_ids|text|token/i,
    embedding: /^(text|txt|textual)[-_. ]?(embed|feature|embedding)s?/i,
    call: "CLIPTextModelWithProjection",
  },
};

/** Results that stand before the projection into the space that images and texts share. */
const UNPROJECTED = /hidden|pooler|pooled|attention|penultimate/i;

/** The tower's port, or undefined where the graph does not take such an input. Throws INVALID_CHECKPOINT. */
export function findPort(graph: Graph, dependence: Dependence, side: Side, file: string): Port | undefined {
  const input = side === "image" ? imageInput(graph) : tokenInput(graph);
  if (!input) return undefined;
  const output = embeddingOf(graph, dependence, side, input) ?? fromSimilarity(graph, dependence, input.name);
  if (output === undefined) throw withoutEmbedding(graph, side, file);
  return { graph, dependence, input, output };
}

const isFloating = ({ type }: Wire): boolean => type.includes("float");
const hasRank = ({ shape }: Wire, rank: number): boolean => isUnknown(shape) || shape.length === rank;

function imageInput(graph: Graph): Wire | undefined {
  const candidates = graph.inputs.filter((wire) => isFloating(wire) && hasRank(wire, 4));
  return candidates.find(({ name }) => WORDS.image.input.test(name)) ?? candidates[0];
}

function tokenInput(graph: Graph): Wire | undefined {
  const candidates = graph.inputs.filter(
    (wire) => /^int/.test(wire.type) && hasRank(wire, 2) && !/mask|position|type/i.test(wire.name),
  );
  return candidates.find(({ name }) => WORDS.text.input.test(name)) ?? candidates[0];
}

/** Whether a value comes from an input alone, masks and positions aside. */
function comesFrom(graph: Graph, sources: ReadonlySet<string> | undefined, input: string): boolean {
  if (!sources?.has(input)) return false;
  const data = new Set([imageInput(graph)?.name, tokenInput(graph)?.name]);
  return ![...sources].some((name) => name !== input && data.has(name));
}

function embeddingOf(graph: Graph, dependence: Dependence, side: Side, input: Wire): string | undefined {
  const candidates = graph.outputs.filter(
    (wire) => isFloating(wire) && hasRank(wire, 2) && comesFrom(graph, dependence.get(wire.name), input.name),
  );
  const projected = candidates.filter(({ name }) => !UNPROJECTED.test(name));
  const named = projected.find(({ name }) => WORDS[side].embedding.test(name));
  return (named ?? projected.find(({ name }) => /embed|feature/i.test(name)) ?? projected[0])?.name;
}

const PASSING = new Set(["Transpose", "Identity", "Cast"]);

/**
 * Where only similarities are given: what enters the product of images and texts from the input's side. A factor that
 * is in it goes by normalisation.
 */
function fromSimilarity(graph: Graph, dependence: Dependence, input: string): string | undefined {
  const from = (name: string) => comesFrom(graph, dependence.get(name), input);
  const product = similarityProduct(graph, dependence);
  let name = product?.inputs.find(from);
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node])));
  for (let node = producers.get(name ?? ""); node && PASSING.has(node.op); node = producers.get(name ?? ""))
    name = node.inputs[0];
  return name;
}

/** The node that multiplies image features by text features. */
export function similarityProduct(graph: Graph, dependence: Dependence) {
  const [image, text] = [imageInput(graph)?.name ?? "", tokenInput(graph)?.name ?? ""];
  return graph.nodes.find(({ op, inputs }) => {
    if (!/^(MatMul|FusedMatMul|Gemm|Einsum)$/.test(op)) return false;
    const sides = inputs.slice(0, 2).map((name) => dependence.get(name));
    return [image, text].every((side) => sides.some((sources) => comesFrom(graph, sources, side)));
  });
}

function withoutEmbedding(graph: Graph, side: Side, file: string): AppError {
  const given = graph.outputs.map(({ name }) => name).join(", ");
  const message = `${file} gives ${given}, and none of it is the projected ${side} embedding (${side}_embeds). The projection into the space that images and texts share is missing: export ${WORDS[side].call}, or CLIPModel with both towers.`;
  return new AppError("INVALID_CHECKPOINT", message, {
    file,
    outputs: graph.outputs.map(({ name }) => name),
  });
}
