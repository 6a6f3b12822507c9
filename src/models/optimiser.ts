import { registerEnumType } from "type-graphql";

export enum Optimiser {
  SGD = "SGD",
  ADAM = "ADAM",
}

registerEnumType(Optimiser, {
  name: "Optimiser",
  description: "How the context vectors follow the gradient.",
});
