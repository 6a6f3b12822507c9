import { createUnionType } from "type-graphql";
import { Model } from "./model.ts";
import { PromptVersion } from "./prompt-version.ts";

export const Defended = createUnionType({
  name: "Defended",
  description: "What a defence has made: prompts for the model as it is, or a new model.",
  types: () => [PromptVersion, Model] as const,
});
