import { registerEnumType } from "type-graphql";

export enum Verdict {
  SUSPECT = "SUSPECT",
  NOTHING_FOUND = "NOTHING_FOUND",
}

registerEnumType(Verdict, {
  name: "Verdict",
  description: "Whether some label attracts images of all others far more easily than is normal.",
});
