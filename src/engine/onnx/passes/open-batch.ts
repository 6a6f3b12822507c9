import { AppError } from "../../../errors.ts";
import { int } from "../attributes.ts";
import type { Graph, Initializer, Node } from "../graph.ts";
import { fromBytes, sizeOf, tensorOf, toInitializer, toNumbers } from "../tensor.ts";

/** Batches that no dimension of a network is likely to have; the third tells whether the first two were typical. */
const SAMPLES = [5, 7, 11] as const;

/**
 * A graph for any batch from a builder of graphs for a given one. The graphs for three batches are compared: numbers
 * that differ are taken for a + b·N and computed from the input's shape, and rows that are repeated N times are
 * expanded. After: nothing but described shapes depends on the batch, so the input's leading dimension can be opened.
 * Throws INVALID_GRAPH where the graphs differ in any other way.
 */
export function openBatch(build: (batch: number) => Graph, input: string): Graph {
  const graphs = SAMPLES.map(build) as [Graph, Graph, Graph];
  const [first] = graphs;
  if (graphs.some(({ nodes }) => nodes.length !== first.nodes.length))
    throw differs(first, "the number of nodes");
  return new BatchOpener(graphs, input).open();
}

function differs({ name }: Graph, what: string): AppError {
  return new AppError(
    "INVALID_GRAPH",
    `The program "${name}" cannot take batches of any size: ${what} depends on the batch. Export the model with dynamic axes.`,
  );
}

class BatchOpener {
  private readonly nodes: Node[] = [];
  private readonly added = new Map<string, Initializer>();
  /** Names in the first graph by names in each of the others. */
  private readonly names: ReadonlyMap<string, string>[];
  private batch: string | undefined;

  constructor(
    private readonly graphs: readonly [Graph, Graph, Graph],
    private readonly input: string,
  ) {
    this.names = graphs.map(({ inputs }) => new Map(inputs.map(({ name }) => [name, name])));
  }

  open(): Graph {
    const [first] = this.graphs;
    first.nodes.forEach((node, index) => {
      const same = this.graphs.map(({ nodes }) => nodes[index]);
      if (same.some((each) => shapeOf(each) !== shapeOf(node))) throw differs(first, `node "${node.name}"`);
      const inputs = node.inputs.map((_, position) => this.read(same, position));
      for (const [graph, each] of same.entries())
        each.outputs.forEach(
          (name, output) => void (this.names[graph] as Map<string, string>).set(name, node.outputs[output]),
        );
      this.nodes.push({ ...node, inputs });
    });
    return { ...first, nodes: this.nodes, initializers: new Map([...first.initializers, ...this.added]) };
  }

  /** The input of a node that stands for one of each graph. */
  private read(same: readonly Node[], position: number): string {
    const given = same.map(({ inputs }) => inputs[position]);
    if (given.every((name) => name === "")) return "";
    const constants = given.map((name, graph) => this.graphs[graph].initializers.get(name));
    if (constants.every((constant) => constant === undefined)) {
      const names = given.map((name, graph) => this.names[graph].get(name));
      if (names[0] !== undefined && names.every((name) => name === names[0])) return names[0];
    }
    if (constants.some((constant) => constant === undefined))
      throw differs(this.graphs[0], `input ${position + 1} of "${same[0].name}"`);
    return this.constant(constants as Initializer[], same[0], position);
  }

  private constant(constants: readonly Initializer[], node: Node, position: number): string {
    const [first] = constants;
    if (constants.every((constant) => keyOf(constant) === keyOf(first))) return first.name;
    const name = `${node.name}/batch${position}`;
    if (constants.some(({ storage }) => storage.kind !== "inline"))
      throw differs(this.graphs[0], `"${first.name}"`);
    const values = constants.map(numbersOf);
    if (values.every((list) => list.length === values[0].length) && first.type === "int64")
      return this.numbers(name, values, node.op === "Reshape" && position === 1);
    return this.rows(name, constants, values);
  }

  /** a + b·N; a Reshape finds one open size by itself. */
  private numbers(name: string, values: readonly (readonly number[])[], reshapes: boolean): string {
    const [low, high, check] = SAMPLES;
    const slopes = values[0].map((value, index) => (values[1][index] - value) / (high - low));
    const bases = values[0].map((value, index) => value - slopes[index] * low);
    if (
      bases.some(
        (base, index) =>
          base + slopes[index] * check !== values[2][index] || !Number.isInteger(slopes[index]),
      )
    )
      throw differs(this.graphs[0], `what "${name}" counts`);
    const varying = slopes.flatMap((slope, index) => (slope === 0 ? [] : [index]));
    if (reshapes && varying.length === 1)
      return this.add(name, "int64", [slopes.length], values[0].with(varying[0], -1));
    const scaled = this.node("Mul", `${name}/scaled`, [
      this.batchSize(),
      this.add(`${name}/slopes`, "int64", [slopes.length], slopes),
    ]);
    return this.node("Add", name, [scaled, this.add(`${name}/bases`, "int64", [bases.length], bases)]);
  }

  /** One row, repeated N times. */
  private rows(
    name: string,
    constants: readonly Initializer[],
    values: readonly (readonly number[])[],
  ): string {
    const [{ type, shape }] = constants;
    const width = sizeOf(shape.slice(1));
    const repeats = constants.every(
      (constant, index) =>
        constant.shape[0] === SAMPLES[index] &&
        constant.shape.slice(1).join() === shape.slice(1).join() &&
        values[index].every((value, at) => Object.is(value, values[0][at % width])),
    );
    if (!repeats) throw differs(this.graphs[0], `the constant "${constants[0].name}"`);
    const row = this.add(`${name}/row`, type, [1, ...shape.slice(1)], values[0].slice(0, width));
    const sizes = this.numbers(
      `${name}/shape`,
      SAMPLES.map((batch) => [batch, ...shape.slice(1)]),
      false,
    );
    return this.node("Expand", name, [row, sizes]);
  }

  private batchSize(): string {
    this.batch ??= this.node("Shape", "batch", [this.input], { start: int(0), end: int(1) });
    return this.batch;
  }

  private add(
    name: string,
    type: Initializer["type"],
    shape: readonly number[],
    values: readonly number[],
  ): string {
    this.added.set(name, toInitializer(name, tensorOf(type, shape, values)));
    return name;
  }

  private node(
    op: string,
    name: string,
    inputs: readonly string[],
    attributes: Node["attributes"] = {},
  ): string {
    this.nodes.push({ op, name, inputs, outputs: [name], attributes });
    return name;
  }
}

/** What a node does, whatever its values are called. */
function shapeOf({ op, inputs, outputs, attributes }: Node): string {
  const shown = Object.entries(attributes).map(([name, { value }]) => [name, value]);
  return JSON.stringify([op, inputs.length, outputs.length, shown]);
}

function keyOf({ type, shape, storage }: Initializer): string {
  const where =
    storage.kind === "file"
      ? `${storage.file} ${storage.offset}`
      : Buffer.from(storage.bytes).toString("base64");
  return `${type}[${shape}] ${where}`;
}

function numbersOf({ type, shape, storage }: Initializer): number[] {
  return storage.kind === "inline" ? toNumbers(fromBytes(type, shape, storage.bytes)) : [];
}
