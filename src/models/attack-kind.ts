import { registerEnumType } from "type-graphql";
import { attacks } from "../engine/attacks/index.ts";

const names = Object.keys(attacks);

/** The engine's attacks, in capitals: a new attack is in the schema by itself. */
export const AttackKind = Object.fromEntries(names.map((name) => [name.toUpperCase(), name]));

registerEnumType(AttackKind, {
  name: "AttackKind",
  description: "How a trigger is stamped on an image.",
  valuesConfig: Object.fromEntries(
    Object.values(attacks).map(({ name, paper }) => [name.toUpperCase(), { description: paper }]),
  ),
});
