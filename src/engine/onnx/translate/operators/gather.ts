import { int, intOf, text, textOf } from "../../attributes.ts";
import type { Wire } from "../../graph.ts";
import { writtenOut } from "../../passes/constants.ts";
import { axisOf } from "../../shapes.ts";
import { sizeOf, tensorOf } from "../../tensor.ts";
import type { OperatorContext, OperatorTable } from "../operator.ts";

export const gather: OperatorTable = {
  Gather: ({ g, node, in: [x, indices] }) =>
    g.gather(x, indices, axisOf(intOf(node, "axis", 0), x.shape.length)),
  GatherElements: ({ g, node, in: [x, indices] }) =>
    g.gatherElements(x, indices, axisOf(intOf(node, "axis", 0), x.shape.length)),
  GatherND: (context) => {
    const {
      g,
      in: [x, indices],
    } = context;
    return g.gatherNd(x, withBatchPlaces(context, indices));
  },
  ScatterND: ({ g, node, in: [x, indices, updates] }) =>
    g.one("ScatterND", [x, indices, updates], x.shape, {
      reduction: text(textOf(node, "reduction", "none")),
    }),
  ScatterElements: ({ g, node, in: [x, indices, updates] }) =>
    g.one("ScatterElements", [x, indices, updates], x.shape, {
      axis: int(axisOf(intOf(node, "axis", 0), x.shape.length)),
      reduction: text(textOf(node, "reduction", "none")),
    }),
};

/** Addresses that count within a batch, with the place in the batch before them. */
function withBatchPlaces({ g, node }: OperatorContext, indices: Wire): Wire {
  const axes = intOf(node, "batch_dims", 0);
  if (axes === 0) return indices;
  const batch = indices.shape.slice(0, axes);
  const rows = Array.from({ length: writtenOut(sizeOf(batch)) }, (_, row) =>
    batch.map((size, axis) => Math.floor(row / sizeOf(batch.slice(axis + 1))) % size),
  );
  const between = indices.shape.slice(axes, -1).map(() => 1);
  const places = g.constant(tensorOf("int64", [...batch, ...between, axes], rows.flat()));
  return g.concat([g.expand(places, [...indices.shape.slice(0, -1), axes]), indices], -1);
}
