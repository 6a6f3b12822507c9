import { registerEnumType } from "type-graphql";
import { DEFENCE_NAMES, defences } from "../engine/defences/index.ts";

/** The engine's defences but for their absence, in capitals: a new defence is in the schema by itself. */
export const RUNNABLE_DEFENCES = DEFENCE_NAMES.filter((name) => name !== "none");

const valueName = (name: string): string => name.toUpperCase().replaceAll("-", "_");

export const Defence = Object.fromEntries(RUNNABLE_DEFENCES.map((name) => [valueName(name), name]));

registerEnumType(Defence, {
  name: "Defence",
  description: "A way to defend a suspect model; `defences` tells of each what it does and what can be set.",
  valuesConfig: Object.fromEntries(
    RUNNABLE_DEFENCES.map((name) => [valueName(name), { description: `${defences[name].about}.` }]),
  ),
});
