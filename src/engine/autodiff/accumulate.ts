import { textOf } from "../onnx/attributes.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";

/** A contribution that is zero but for one stretch of one axis: the gradient of a Slice. */
interface Stretch {
  readonly padded: Wire;
  readonly content: Wire;
  readonly axis: number;
  readonly begin: number;
}

/**
 * Sums the contributions to one gradient. Those that come from disjoint slices of an axis are joined by one
 * Concat, which costs a copy where the sum of padded pieces would cost one pass each.
 */
export function accumulate(g: GraphBuilder, contributions: readonly Wire[]): Wire {
  const stretches = contributions.flatMap((wire) => stretchOf(g, wire));
  const disjoint = disjointOf(stretches);
  if (disjoint.length < 2) return sum(g, contributions);
  // A value that is added to itself has the same contribution twice, of which one is joined.
  const rest = [...contributions];
  for (const { padded } of disjoint) rest.splice(rest.indexOf(padded), 1);
  return sum(g, [join(g, disjoint), ...rest]);
}

function sum(g: GraphBuilder, wires: readonly Wire[]): Wire {
  return wires.reduce((total, wire) => g.add(total, wire));
}

function stretchOf(g: GraphBuilder, padded: Wire): Stretch[] {
  const node = g.producer(padded);
  if (node?.op !== "Pad" || node.inputs.length !== 2 || textOf(node, "mode", "constant") !== "constant")
    return [];
  const pads = g.numbers(g.wire(node.inputs[1])) ?? [];
  const rank = padded.shape.length;
  const axes = [...padded.shape.keys()].filter((axis) => pads[axis] !== 0 || pads[axis + rank] !== 0);
  if (axes.length !== 1 || pads.some((size) => size < 0)) return [];
  return [{ padded, content: g.wire(node.inputs[0]), axis: axes[0], begin: pads[axes[0]] }];
}

/** Those on the first one's axis that do not overlap, in order. */
function disjointOf(stretches: readonly Stretch[]): Stretch[] {
  const kept: Stretch[] = [];
  let free = 0;
  const sameAxis = stretches.filter((stretch) => stretch.axis === stretches[0].axis);
  for (const stretch of sameAxis.toSorted((a, b) => a.begin - b.begin)) {
    if (stretch.begin < free) continue;
    kept.push(stretch);
    free = stretch.begin + stretch.content.shape[stretch.axis];
  }
  return kept;
}

function join(g: GraphBuilder, stretches: readonly Stretch[]): Wire {
  const [{ axis, padded }] = stretches;
  const gap = (size: number): Wire[] =>
    size === 0 ? [] : [g.zeros(padded.shape.with(axis, size), padded.type)];
  let position = 0;
  const pieces = stretches.flatMap((stretch) => {
    const filler = gap(stretch.begin - position);
    position = stretch.begin + stretch.content.shape[axis];
    return [...filler, stretch.content];
  });
  return g.concat([...pieces, ...gap(padded.shape[axis] - position)], axis);
}
