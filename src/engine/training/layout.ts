import { AppError } from "../../errors.ts";
import type { ClipArchitecture } from "../clip/architecture.ts";
import { expectedTensors } from "../clip/expected-tensors.ts";
import type { ExpectedTensor, Weights } from "../clip/weights.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Shape, Wire } from "../onnx/graph.ts";
import { sizeOf } from "../onnx/tensor.ts";

/** A tensor's place in the flat array of its group. */
export interface Place {
  readonly name: string;
  readonly shape: Shape;
  readonly offset: number;
  readonly size: number;
}

/** Tensors that lie one after the other in one array. */
export interface Group {
  readonly places: readonly Place[];
  /** Elements of all of them together. */
  readonly size: number;
}

/**
 * The tensors of a model in three groups, because each is treated alike: matrices decay, vectors (and the logit scale)
 * do not, and the running statistics of batch normalisation are not learned at all.
 */
export interface Layout {
  readonly matrices: Group;
  readonly vectors: Group;
  readonly statistics: Group;
}

export const LOGIT_SCALE = "logit_scale";

/** Where every tensor of a model lies; the names are those of its checkpoint. */
export function layoutOf(architecture: ClipArchitecture): Layout {
  const tensors: ExpectedTensor[] = [...expectedTensors(architecture), [LOGIT_SCALE, []]];
  const isStatistic = (name: string) => /\.running_(mean|var)$/.test(name);
  const learned = tensors.filter(([name]) => !isStatistic(name));
  return {
    matrices: groupOf(learned.filter(([, shape]) => shape.length > 1)),
    vectors: groupOf(learned.filter(([, shape]) => shape.length <= 1)),
    statistics: groupOf(tensors.filter(([name]) => isStatistic(name))),
  };
}

function groupOf(tensors: readonly ExpectedTensor[]): Group {
  let size = 0;
  const places = tensors.map(([name, shape]) => {
    const place = { name, shape, offset: size, size: sizeOf(shape) };
    size += place.size;
    return place;
  });
  return { places, size };
}

/** The tensors of a flat value [size] as values of a graph, by name. */
export function spread(g: GraphBuilder, { places }: Group, flat: Wire): Map<string, Wire> {
  if (places.length === 0) return new Map();
  const sizes = places.map(({ size }) => size);
  const pieces = places.length === 1 ? [flat] : g.split(flat, sizes, 0);
  return new Map(places.map(({ name, shape }, index) => [name, g.reshape(pieces[index], shape)]));
}

/** The given values, by name, as one flat value in the group's order. */
export function gather(g: GraphBuilder, { places }: Group, values: ReadonlyMap<string, Wire>): Wire {
  return g.concat(
    places.map(({ name }) => g.reshape(weightsOf(values)(name), [-1])),
    0,
  );
}

/** Looks weights up by name. */
export function weightsOf(values: ReadonlyMap<string, Wire>): Weights {
  return (name) => {
    const wire = values.get(name);
    if (wire) return wire;
    throw new AppError("INTERNAL", `The layout of the model has no tensor "${name}".`, { name });
  };
}
