import { registerEnumType } from "type-graphql";

export const DefenceProduct = { PROMPTS: "prompts", WEIGHTS: "weights" } as const;
export type DefenceProduct = (typeof DefenceProduct)[keyof typeof DefenceProduct];

registerEnumType(DefenceProduct, {
  name: "DefenceProduct",
  description: "What a defence makes.",
  valuesConfig: {
    PROMPTS: { description: "A prompt version for the model as it is." },
    WEIGHTS: { description: "A new model, in the models folder." },
  },
});
