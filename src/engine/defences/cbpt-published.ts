import { type CbptConfig, completeConfig, PUBLISHED_DEFAULTS } from "../cbpt/config.ts";
import { type ValuesOf, withDefaults } from "../parameters.ts";
import { defineDefence } from "./defence.ts";
import { openPromptTuning, planPromptTuning, TUNING_PARAMETERS } from "./prompt-tuning.ts";

const PARAMETERS = withDefaults(TUNING_PARAMETERS, PUBLISHED_DEFAULTS);

const configOf = ({ seed }: { readonly seed: number }, parameters: ValuesOf<typeof PARAMETERS>): CbptConfig =>
  completeConfig("PUBLISHED", { ...parameters, seed });

/** Class-wise backdoor prompt tuning as its paper has it. */
export const cbptPublished = defineDefence({
  name: "cbpt-published",
  paper: "Kong et al. 2025, arXiv:2502.19269",
  about: "Inverts a trigger for every image in every step, and tunes each class's prompt against it",
  makes: "prompts",
  parameters: PARAMETERS,
  check: (parameters) => void completeConfig("PUBLISHED", parameters),
  open: (task, parameters) => openPromptTuning(task, configOf(task, parameters)),
  plan: (size, parameters) => planPromptTuning(size, configOf(size, parameters)),
});
