import { completeConfig, PUBLISHED_DEFAULTS } from "../cbpt/config.ts";
import { withDefaults } from "../parameters.ts";
import { defineDefence } from "./defence.ts";
import { openPromptTuning, TUNING_PARAMETERS } from "./prompt-tuning.ts";

/** Class-wise backdoor prompt tuning as its paper has it. */
export const cbptPublished = defineDefence({
  name: "cbpt-published",
  paper: "Kong et al. 2025, arXiv:2502.19269",
  about: "Inverts a trigger for every image in every step, and tunes each class's prompt against it",
  makes: "prompts",
  parameters: withDefaults(TUNING_PARAMETERS, PUBLISHED_DEFAULTS),
  check: (parameters) => void completeConfig("PUBLISHED", parameters),
  open: (task, parameters) =>
    openPromptTuning(task, completeConfig("PUBLISHED", { ...parameters, seed: task.seed })),
});
