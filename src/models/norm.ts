import { registerEnumType } from "type-graphql";

export enum Norm {
  L2 = "L2",
  LINF = "LINF",
}

registerEnumType(Norm, { name: "Norm", description: "A norm that bounds a trigger." });
