import { registerEnumType } from "type-graphql";

export enum NormalisationName {
  NONE = "NONE",
  CLIP = "CLIP",
  IMAGENET = "IMAGENET",
  HALF = "HALF",
  CONFIGURATION = "CONFIGURATION",
}

registerEnumType(NormalisationName, {
  name: "NormalisationName",
  description: "A mean and deviation that models are usually trained with.",
  valuesConfig: {
    NONE: { description: "Pixels stay in [0, 1], as public backdoored checkpoints were trained." },
    CLIP: { description: "OpenAI's." },
    IMAGENET: { description: "ImageNet's: 0.485 0.456 0.406 and 0.229 0.224 0.225." },
    HALF: { description: "0.5 everywhere." },
    CONFIGURATION: { description: "What the model's own configuration says; takes an earlier choice back." },
  },
});
