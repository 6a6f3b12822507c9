import { type CbptConfig, completeConfig } from "../cbpt/config.ts";
import type { Purification } from "../cbpt/purification.ts";
import { choice, pickParameters, type ValuesOf, withDefaults } from "../parameters.ts";
import { defineDefence } from "./defence.ts";
import { openPromptTuning, planPromptTuning, TUNING_PARAMETERS } from "./prompt-tuning.ts";

/** The rows of CBPT's table that are about tuning on clean shots. */
const TUNING = pickParameters(TUNING_PARAMETERS, [
  "contextTokens",
  "position",
  "initialDeviation",
  "epochs",
  "batchSize",
  "learningRate",
  "optimiser",
  "momentum",
  "weightDecay",
]);

const PARAMETERS = {
  context: choice("SHARED", ["SHARED", "CLASS_WISE"], "Whether all classes share their context vectors"),
  ...withDefaults(TUNING, {
    epochs: 50,
    batchSize: 32,
    learningRate: 2e-3,
    optimiser: "SGD",
    weightDecay: 5e-4,
  }),
};

/** The published mode of CBPT that never leaves its warm-up: only the cross-entropy on clean shots is left. */
const ENTROPY_ONLY = { alpha: 0, beta: 0, gamma: 1, gammaDummy: 0 } as const;

const configOf = (
  { seed }: { readonly seed: number },
  { context: _, ...parameters }: ValuesOf<typeof PARAMETERS>,
): CbptConfig =>
  completeConfig("PUBLISHED", { ...parameters, ...ENTROPY_ONLY, warmupEpochs: parameters.epochs, seed });

const optionsOf = ({ context }: ValuesOf<typeof PARAMETERS>) => ({ sharedContext: context === "SHARED" });

/** Context optimisation: prompts that are tuned to classify, and know nothing of backdoors. */
export const coop = defineDefence({
  name: "coop",
  paper: "Zhou et al. 2022, arXiv:2109.01134",
  about: "Tunes the prompts' context vectors on the cross-entropy of the clean shots alone",
  makes: "prompts",
  parameters: PARAMETERS,
  open: async (task, parameters) => {
    const run = await openPromptTuning(task, configOf(task, parameters), optionsOf(parameters));
    return {
      ...run,
      progress: (state: Purification) => {
        const progress = run.progress(state);
        const losses = progress.losses.filter(({ name }) => name === "cleanEntropy");
        return { ...progress, phase: "tune", losses };
      },
    };
  },
  plan: (size, parameters) => planPromptTuning(size, configOf(size, parameters), optionsOf(parameters)),
});
