import { registerEnumType } from "type-graphql";

export enum ArtifactFormat {
  SAFETENSORS = "SAFETENSORS",
  COOP = "COOP",
}

registerEnumType(ArtifactFormat, {
  name: "ArtifactFormat",
  description: "What the file of a version is for.",
  valuesConfig: {
    SAFETENSORS: {
      description:
        "All that there is to it, with the manifest and what was measured; importPrompts takes it back.",
    },
    COOP: {
      description:
        "The class-wise context vectors alone, as CoOp's trainer loads them (`prompt_learner/model.pth.tar-N`). Recovery prompts and measurements are not in it, so a version made of it has neither a second look nor suspicion.",
    },
  },
});
