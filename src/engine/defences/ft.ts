import { defineDefence } from "./defence.ts";
import { FINE_TUNING_PARAMETERS, openFineTuning } from "./fine-tuning.ts";
import { planFineTuning } from "./fine-tuning-plan.ts";

/** Plain fine-tuning. */
export const ft = defineDefence({
  name: "ft",
  paper: "Bansal et al. 2023, arXiv:2303.03323 (as a baseline)",
  about: "Trains all weights further on the clean pairs, with CLIP's own contrastive loss",
  makes: "weights",
  parameters: FINE_TUNING_PARAMETERS,
  open: (task, parameters) => openFineTuning(task, parameters, { name: "ft", parameters }),
  plan: (size, parameters) => planFineTuning(size, parameters, { name: "ft", parameters }),
});
