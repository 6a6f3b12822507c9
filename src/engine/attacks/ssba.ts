import { real, whole } from "../parameters.ts";
import { defineAttack } from "./attack.ts";
import { NETWORK_FIT, openNetworkFit } from "./ssba-fit.ts";
import { bitsOf, bitsOfSecret, loudnessOf, writeBits } from "./steganography.ts";

/** Adds a faint residual that is another for every image, and hides the same bits in all of them. */
export const ssba = defineAttack({
  name: "ssba",
  paper: "Li et al. 2021, arXiv:2012.03816",
  defaults: {
    secret: whole(1, [0, 2 ** 31 - 1], "Which bits"),
    psnr: real(28, [10, 60], "Peak signal-to-noise ratio of the residual in decibels"),
  },
  fit: {
    defaults: NETWORK_FIT,
    open: (problem, { fit, trigger }, session) =>
      openNetworkFit(problem, { ...fit, psnr: Number(trigger.psnr) }, session),
  },
  stamp: (image, { secret, psnr }, fitted) =>
    writeBits(image, bitsOfSecret(secret, bitsOf(fitted)), loudnessOf(psnr), fitted),
});
