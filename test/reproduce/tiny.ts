import type { Size } from "../../reproduce/size.ts";

const SLIGHT = { epochs: 1, batchSize: 8, warmupSteps: 0 };

/** Every kind of experiment, none of which is good for anything. */
export const TINY: Size = {
  name: "quick",
  test: { perClass: 1, seed: 71 },
  shots: { perClass: 2, seed: 3 },
  implants: { scenes: 24, probes: 20, config: { steps: 1, batch: 4 } },
  attacks: "one",
  published: "all",
  comparison: { suspects: 0, learningRates: [1e-5, 1e-4] },
  shifts: true,
  parameters: {
    coop: { epochs: 1 },
    ft: SLIGHT,
    cleanclip: SLIGHT,
    par: SLIGHT,
    "cbpt-universal": { epochs: 1, innerSteps: 1, innerBatch: 1, gratingCycles: 0, radius: 1 },
    "cbpt-published": { epochs: 1, warmupEpochs: 0, innerSteps: 1, batchSize: 8 },
  },
};
