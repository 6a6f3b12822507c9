import { project, stamp } from "../trigger.ts";
import type { Family, FamilyTrigger } from "./family.ts";

/** ∂L/∂δ of clip(a·x + b + δ): the gradient where the sum stays in [0, 1], else 0. */
export function gated(
  gradient: Float32Array,
  pixels: Float32Array,
  values: Float32Array,
  { share = 1, offset = 0 }: { readonly share?: number; readonly offset?: number } = {},
): Float32Array {
  const open = new Float32Array(gradient.length);
  for (let index = 0; index < open.length; index++) {
    const sum = share * pixels[index] + offset + values[index];
    if (sum >= 0 && sum <= 1) open[index] = gradient[index];
  }
  return open;
}

const addTo = ({ values }: FamilyTrigger, pixels: Float32Array): Float32Array => stamp(pixels, values);

/** x + δ within an L2 ball: most patches, faint patterns and residuals come near one. */
export const dense: Family = {
  start: ({ dense: values }) => ({ family: "dense", place: [], values }),
  stamp: addTo,
  pullBack: ({ values }, pixels, gradient) => gated(gradient, pixels, values),
  project: (values, { radius }) => {
    const nearest = values.slice();
    project(nearest, { norm: "L2", radius });
    return nearest;
  },
  reach: ({ radius }) => radius,
};

/** x + δ for a wave that was found by trying: it is what it is, and no search moves it. */
export const grating: Family = { ...dense, project: (values) => values, reach: () => 0 };
