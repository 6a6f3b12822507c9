import { registerEnumType } from "type-graphql";

export enum PurifyMode {
  UNIVERSAL = "UNIVERSAL",
  PUBLISHED = "PUBLISHED",
}

registerEnumType(PurifyMode, {
  name: "PurifyMode",
  description: "How triggers are simulated.",
  valuesConfig: {
    UNIVERSAL: {
      description: "One universal trigger is inverted per class; an audit picks the suspects; then tuning.",
    },
    PUBLISHED: { description: "One trigger per image in every step, as in the paper." },
  },
});
