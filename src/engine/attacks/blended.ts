import { real, whole } from "../parameters.ts";
import { randomStream } from "../random.ts";
import { defineAttack, type PlanarImage } from "./attack.ts";

/** Blends a fixed noise pattern into the whole image. */
export const blended = defineAttack({
  name: "blended",
  paper: "Chen et al. 2017, arXiv:1712.05526",
  defaults: {
    alpha: real(0.2, [0, 1], "Share of the pattern in the result"),
    seed: whole(0, [0, 2 ** 31 - 1], "Which pattern"),
  },
  stamp: (image, { alpha, seed }) => mix(image, uniformNoise(image, seed), alpha),
});

/** Uniform noise in [0, 1), one value per channel and pixel; the same size and seed give the same pattern. */
function uniformNoise({ data }: PlanarImage, seed: number): Float32Array {
  const random = randomStream(seed, "blended");
  return Float32Array.from(data, random.uniform);
}

const mix = (image: PlanarImage, pattern: Float32Array, alpha: number): PlanarImage => ({
  ...image,
  data: image.data.map((value, index) => (1 - alpha) * value + alpha * pattern[index]!),
});
