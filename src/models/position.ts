import { registerEnumType } from "type-graphql";

export enum Position {
  FRONT = "FRONT",
  MIDDLE = "MIDDLE",
  END = "END",
}

registerEnumType(Position, {
  name: "Position",
  description: "Where the class name stands among the context vectors.",
});
