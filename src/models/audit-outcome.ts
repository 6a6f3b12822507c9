import { registerEnumType } from "type-graphql";

export enum AuditOutcome {
  DONE = "DONE",
  REFUSED = "REFUSED",
  UNKNOWN = "UNKNOWN",
}

registerEnumType(AuditOutcome, {
  name: "AuditOutcome",
  description: "How a mutation ended.",
  valuesConfig: {
    REFUSED: { description: "Nothing was done; the code says why." },
    UNKNOWN: { description: "It is running, or its server was killed at it: look at what it touched." },
  },
});
