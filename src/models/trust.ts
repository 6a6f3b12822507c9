import { registerEnumType } from "type-graphql";

export enum Trust {
  TRUSTED = "TRUSTED",
  SUSPECT = "SUSPECT",
  QUARANTINED = "QUARANTINED",
}

registerEnumType(Trust, {
  name: "Trust",
  description:
    "What the operator thinks of a model. It changes nothing in what a model answers, but whether it answers: one that is QUARANTINED does not.",
  valuesConfig: {
    SUSPECT: { description: "May carry a backdoor; every model starts so." },
    QUARANTINED: {
      description:
        "Not served: `classify`, and all else that the server itself has the model compute, is FORBIDDEN. Jobs run.",
    },
  },
});
