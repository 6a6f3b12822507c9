import { completeConfig } from "../cbpt/config.ts";
import { defineDefence } from "./defence.ts";
import { openPromptTuning, TUNING_PARAMETERS } from "./prompt-tuning.ts";

/** Class-wise backdoor prompt tuning in our own mode. */
export const cbptUniversal = defineDefence({
  name: "cbpt-universal",
  paper: "after Kong et al. 2025, arXiv:2502.19269",
  about:
    "Searches a trigger for every class, audits which classes pull images to themselves, and tunes prompts until those triggers no longer do",
  makes: "prompts",
  parameters: TUNING_PARAMETERS,
  check: (parameters) => void completeConfig("UNIVERSAL", parameters),
  open: (task, parameters) =>
    openPromptTuning(task, completeConfig("UNIVERSAL", { ...parameters, seed: task.seed })),
});
