import { registerEnumType } from "type-graphql";

export enum Trust {
  TRUSTED = "TRUSTED",
  SUSPECT = "SUSPECT",
  QUARANTINED = "QUARANTINED",
}

registerEnumType(Trust, {
  name: "Trust",
  description: "What the operator thinks of a model. It changes nothing in what the model answers.",
  valuesConfig: {
    SUSPECT: { description: "May carry a backdoor; every model starts so." },
    QUARANTINED: { description: "Not to be served." },
  },
});
