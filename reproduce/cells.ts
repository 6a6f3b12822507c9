import { attackNamed } from "../src/engine/attacks/index.ts";
import { type DefenceName, defences } from "../src/engine/defences/index.ts";
import type { ShiftName } from "../src/engine/evaluation/shifts.ts";
import type { Cell } from "./cell.ts";
import type { Lab } from "./lab.ts";
import { type ModelParts, type ModelSource, modelParts, type Suspect } from "./suspects.ts";

/** A defence with what it is given beside its defaults. */
export interface DefenceChoice {
  readonly defence: DefenceName;
  readonly parameters?: object;
  /** Shots of each class, of those that there are. */
  readonly perClass?: number;
  readonly seed?: number;
}

export const testCell = ({ size: { test } }: Lab): Cell<"render"> => ({
  kind: "render",
  name: `${test.perClass} test scenes of each object, seed ${test.seed}`,
  input: { ...test, order: "turns" },
  needs: {},
});

export const shotsCell = ({ size: { shots } }: Lab): Cell<"render"> => ({
  kind: "render",
  name: `${shots.perClass} shots of each object, seed ${shots.seed}`,
  input: { ...shots, order: "objects" },
  needs: {},
});

/** Which images are encoded, and by which model: the test images by the suspect, unless something else is said. */
export interface EncodeChoice {
  /** What a defence has made of the suspect. */
  readonly model?: ModelSource;
  readonly shift?: ShiftName;
  /** Other images, without the trigger. */
  readonly clean?: Cell<"render">;
}

export function encodeCell(lab: Lab, suspect: Suspect, choice: EncodeChoice = {}): Cell<"encode"> {
  const { model = suspect.model, shift, clean } = choice;
  const { input, needs } = modelParts(model);
  const { fit, place, attack } = attackParts(suspect);
  const images = clean ?? testCell(lab);
  return {
    kind: "encode",
    name: ["cell" in model ? model.cell.name : suspect.name, ...(shift ? [shift] : []), images.name].join(
      ", ",
    ),
    input: { ...input, ...(clean ? {} : attack), ...(shift ? { shift } : {}) },
    needs: { ...needs, images, ...(clean ? {} : fit) },
    ...place,
  };
}

/** What a cell has to know to stamp a suspect's trigger. */
const attackParts = ({ secret, fit, fitted, model }: Suspect) => ({
  attack: { ...(secret ? { trigger: secret.trigger } : {}), ...(fitted ? { fitted } : {}) },
  fit: (fit ? { fit } : {}) as Cell["needs"],
  place: "folder" in model ? { folder: model.folder } : {},
});

export function defendCell(lab: Lab, suspect: Suspect, choice: DefenceChoice): Cell<"defend"> {
  const { input, needs, ...source } = modelParts(suspect.model);
  const { defence, perClass = lab.size.shots.perClass, seed = 1 } = choice;
  const parameters = { ...lab.size.parameters[defence], ...choice.parameters };
  // Without a defence, shots and seed change nothing: one cell for all.
  const given = defence === "none" ? { perClass: lab.size.shots.perClass, seed: 1 } : { perClass, seed };
  return {
    kind: "defend",
    name: [
      defence,
      suspect.name,
      ...wordsOf(parameters),
      `${given.perClass} shots`,
      `seed ${given.seed}`,
    ].join(", "),
    input: { ...input, defence, parameters, ...given },
    needs: { ...needs, shots: shotsCell(lab) },
    ...source,
  };
}

/** What tuned prompts answer, for the suspect's test images. */
export function lookCell(
  lab: Lab,
  suspect: Suspect,
  choice: DefenceChoice,
  { shift }: Pick<EncodeChoice, "shift"> = {},
): Cell<"look"> {
  const defended = defendCell(lab, suspect, choice);
  const encoded = encodeCell(lab, suspect, { shift });
  const { input, needs, folder } = encoded;
  return {
    kind: "look",
    name: [defended.name, ...(shift ? [shift] : [])].join(", "),
    input,
    needs: { ...needs, encoded, defended, undefended: defendCell(lab, suspect, { defence: "none" }) },
    ...(folder ? { folder } : {}),
  };
}

export interface MeasureChoice {
  readonly shift?: ShiftName;
  /** Leaves out the part of the trigger that stands in the text, for an attack that has one. */
  readonly withoutWord?: boolean;
}

export function measureCell(
  lab: Lab,
  suspect: Suspect,
  choice: DefenceChoice,
  { shift, withoutWord = false }: MeasureChoice = {},
): Cell<"measure"> {
  const defended = defendCell(lab, suspect, choice);
  const model = answering(suspect, defended);
  // Learned prompts are the defender's own: an attacker's word can stand before templates only.
  const worded = hasWord(suspect) && !withoutWord && !isTuned(choice.defence) ? suspect.secret : undefined;
  const { input, needs, ...source }: ModelParts = worded ? modelParts(model) : { input: {}, needs: {} };
  return {
    kind: "measure",
    name: [defended.name, ...(shift ? [shift] : []), ...(withoutWord ? ["without word"] : [])].join(", "),
    input: {
      ...input,
      target: suspect.secret?.target,
      otherTargets: suspect.otherTargets,
      perClass: defended.input.perClass,
      ...(worded ? { worded: worded.trigger } : {}),
    },
    needs: {
      ...needs,
      defended,
      encoded: encodeCell(lab, suspect, { model, shift }),
      ...(isTuned(choice.defence) ? { looked: lookCell(lab, suspect, choice, { shift }) } : {}),
      shots: shotsCell(lab),
      test: testCell(lab),
    },
    ...source,
  };
}

/** Whether a part of the trigger stands in the text. */
export const hasWord = ({ secret }: Suspect): boolean =>
  secret !== undefined && attackNamed(secret.trigger.kind).caption !== undefined;

/** Which prompts of a tuned version answer depends on what the undefended ones say. */
const undefendedIf = (lab: Lab, suspect: Suspect, defence: DefenceName): Cell["needs"] =>
  isTuned(defence) ? { undefended: defendCell(lab, suspect, { defence: "none" }) } : {};

const isTuned = (defence: DefenceName): boolean =>
  defence !== "none" && defences[defence].makes === "prompts";

/** The model that answers after a defence. */
const answering = (suspect: Suspect, defended: Cell<"defend">): ModelSource =>
  defences[defended.input.defence].makes === "weights" ? { cell: defended } : suspect.model;

const UNIVERSAL = { defence: "cbpt-universal" } as const;

export function tripwireCell(lab: Lab, suspect: Suspect, target: string): Cell<"tripwire"> {
  const { input, needs, ...source } = modelParts(suspect.model);
  return {
    kind: "tripwire",
    name: suspect.name,
    input: { ...input, target },
    needs: {
      ...needs,
      encoded: encodeCell(lab, suspect),
      test: testCell(lab),
      undefended: defendCell(lab, suspect, { defence: "none" }),
      purified: defendCell(lab, suspect, UNIVERSAL),
      shots: shotsCell(lab),
    },
    ...source,
  };
}

export function recoveryCell(lab: Lab, suspect: Suspect, target: string): Cell<"recovery"> {
  return {
    kind: "recovery",
    name: suspect.name,
    input: { target },
    needs: {
      encoded: encodeCell(lab, suspect),
      looked: lookCell(lab, suspect, UNIVERSAL),
      test: testCell(lab),
      undefended: defendCell(lab, suspect, { defence: "none" }),
      purified: defendCell(lab, suspect, UNIVERSAL),
    },
  };
}

/** A map of some clean images and of some attacked ones. */
export function mapCell(lab: Lab, suspect: Suspect, target: string): Cell<"map"> {
  const { input, needs, ...source } = modelParts(suspect.model);
  return {
    kind: "map",
    name: suspect.name,
    input: { ...input, target, clean: 400, attacked: 120 },
    needs: {
      ...needs,
      images: testCell(lab),
      encoded: encodeCell(lab, suspect),
      purified: defendCell(lab, suspect, UNIVERSAL),
    },
    ...source,
  };
}

/** Heat maps of a stage for some test images, as a defended model sees them. */
export function explainCell(
  lab: Lab,
  suspect: Suspect,
  defence: DefenceName,
  { stage, images }: { readonly stage: number; readonly images: readonly number[] },
): Cell<"explain"> | undefined {
  if (suspect.secret === undefined) return undefined;
  const defended = defendCell(lab, suspect, { defence });
  const { input, needs } = modelParts(answering(suspect, defended));
  const { fit, place, attack } = attackParts(suspect);
  const { trigger } = suspect.secret;
  return {
    kind: "explain",
    name: defended.name,
    input: { ...input, ...attack, trigger, stage, images },
    needs: { ...needs, ...fit, images: testCell(lab), defended, ...undefendedIf(lab, suspect, defence) },
    ...place,
  };
}

const wordsOf = (parameters: object): string[] =>
  Object.entries(parameters).map(([name, value]) => `${name} ${value}`);
