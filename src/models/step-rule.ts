import { registerEnumType } from "type-graphql";

export enum StepRule {
  RAW = "RAW",
  SIGN = "SIGN",
  NORMALISED = "NORMALISED",
}

registerEnumType(StepRule, {
  name: "StepRule",
  description: "What becomes of a gradient before it is a step.",
});
