import { registerEnumType } from "type-graphql";

export enum Positive {
  RANDOM = "RANDOM",
  NEAREST = "NEAREST",
  FARTHEST = "FARTHEST",
}

registerEnumType(Positive, {
  name: "Positive",
  description: "Which shot of the simulated backdoor class attracts in the published inversion.",
});
