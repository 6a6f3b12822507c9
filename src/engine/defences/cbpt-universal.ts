import { type CbptConfig, completeConfig } from "../cbpt/config.ts";
import type { ValuesOf } from "../parameters.ts";
import { defineDefence } from "./defence.ts";
import { openPromptTuning, planPromptTuning, TUNING_PARAMETERS } from "./prompt-tuning.ts";

const configOf = (
  { seed }: { readonly seed: number },
  parameters: ValuesOf<typeof TUNING_PARAMETERS>,
): CbptConfig => completeConfig("UNIVERSAL", { ...parameters, seed });

/** Class-wise backdoor prompt tuning in our own mode. */
export const cbptUniversal = defineDefence({
  name: "cbpt-universal",
  paper: "after Kong et al. 2025, arXiv:2502.19269",
  about:
    "Searches a trigger for every class, audits which classes pull images to themselves, and tunes prompts until those triggers no longer do",
  makes: "prompts",
  parameters: TUNING_PARAMETERS,
  check: (parameters) => void completeConfig("UNIVERSAL", parameters),
  open: (task, parameters) => openPromptTuning(task, configOf(task, parameters)),
  plan: (size, parameters) => planPromptTuning(size, configOf(size, parameters)),
});
