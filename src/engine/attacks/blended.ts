import { choice, real, whole } from "../parameters.ts";
import { defineAttack } from "./attack.ts";
import { PATTERNS, type PatternName } from "./patterns.ts";

/** The share of each pattern in the literature: Chen et al. 2017 for noise, arXiv:2412.00727 for the others. */
const SHARES: Readonly<Record<PatternName, number>> = {
  noise: 0.2,
  stripes: 0.03,
  triangles: 0.15,
  text: 0.5,
};

/** Blends a fixed pattern into the whole image: x ← (1 − α) x + α n. */
export const blended = defineAttack({
  name: "blended",
  paper: "Chen et al. 2017, arXiv:1712.05526",
  defaults: {
    alpha: real(
      0,
      [0, 1],
      "Share of the pattern in the result; 0 for the literature's: noise 0.2, stripes 0.03, triangles 0.15, text 0.5",
    ),
    pattern: choice("noise", ["noise", "stripes", "triangles", "text"], "What is blended in"),
    seed: whole(0, [0, 2 ** 31 - 1], "Which noise"),
  },
  stamp: (image, { alpha, pattern, seed }) => {
    const share = alpha || SHARES[pattern];
    const drawing = PATTERNS[pattern](image, seed);
    return {
      ...image,
      data: image.data.map((value, index) => (1 - share) * value + share * drawing[index]!),
    };
  },
});
