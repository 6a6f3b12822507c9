import { zeroShotMatrix } from "../clip/zero-shot.ts";
import { openSession } from "../runtime/session.ts";
import { defineDefence } from "./defence.ts";

/** What is there once the only step is made: the undefended text features [C, D]. */
interface Undefended {
  readonly textFeatures?: Float32Array;
}

/** No defence: what the others are compared with. */
export const none = defineDefence({
  name: "none",
  about: "The suspect model as it is, through the ensemble of the prompt templates",
  makes: "prompts",
  parameters: {},
  open: async ({ checkpoint, labels, templates, device, threads }) => ({
    init: async (): Promise<Undefended> => ({}),
    step: async () => ({
      textFeatures: await zeroShotMatrix(
        (program) => openSession(program, { device, threads }),
        checkpoint,
        labels,
        templates,
      ),
    }),
    isDone: ({ textFeatures }) => textFeatures !== undefined,
    progress: ({ textFeatures }) => {
      const step = textFeatures ? 1 : 0;
      return { phase: "encode", epoch: 1, epochs: 1, step, steps: 1, losses: [], fraction: step, images: 0 };
    },
    result: async ({ textFeatures }) => ({
      kind: "prompts",
      textFeatures: textFeatures!,
      contexts: { values: new Float32Array(), tokens: 0, width: checkpoint.architecture.text.width },
      position: "END",
    }),
    close: async () => {},
  }),
});
