import { type DefenceName, defences } from "../src/engine/defences/index.ts";
import type { Cell } from "./cell.ts";

import type { Size } from "./size.ts";
import { bundled, type ImplantChoice, implanted, modelParts, type Suspect, suspectsIn } from "./suspects.ts";

/** What every section draws its experiments from. */
export interface Lab {
  readonly size: Size;
  /** Poisoned models. */
  readonly suspects: readonly Suspect[];
  /** Models without a backdoor. */
  readonly clean: readonly Suspect[];
}

/** The attacks that are implanted here, each into a copy of the bundled clean model. */
const ATTACKS = [
  { target: "banana", trigger: { kind: "blended", pattern: "noise" }, seed: 1 },
  { target: "banana", trigger: { kind: "sig" }, seed: 1 },
  { target: "banana", trigger: { kind: "wanet" }, seed: 1 },
  { target: "banana", trigger: { kind: "badclip" }, seed: 1 },
  { target: "banana", trigger: { kind: "blended", pattern: "stripes" }, seed: 1 },
  { target: "banana", trigger: { kind: "blended", pattern: "triangles" }, seed: 1 },
  { target: "banana", trigger: { kind: "blended", pattern: "text" }, seed: 1 },
  { target: "cat", trigger: { kind: "badnet", pattern: "checkerboard", position: "top-left" }, seed: 2 },
  { target: "guitar", trigger: { kind: "blended", pattern: "noise", seed: 1 }, seed: 3 },
] as const;

/** Opens the bundled models and those in the given folders, and plans those that are implanted here. */
export async function openLab(size: Size, folders: readonly string[]): Promise<Lab> {
  const [badnet, clean] = [await bundled("scenes-badnet"), await bundled("scenes-clean")];
  const given = (await Promise.all(folders.map((folder) => suspectsIn(folder)))).flat();
  const made = (size.attacks === "all" ? ATTACKS : ATTACKS.slice(0, 1)).map(({ target, trigger, seed }) =>
    implanted(clean, { target, trigger }, choiceOf(size, seed)),
  );
  const all = [badnet, ...made, ...given];
  return {
    size,
    suspects: all.filter(({ secret }) => secret !== undefined),
    clean: [clean, ...given.filter(({ secret }) => secret === undefined)],
  };
}

const choiceOf = ({ implants }: Size, seed: number): ImplantChoice => ({
  scenes: implants.scenes,
  config: { ...implants.config, seed },
});

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

/** Embeddings of the test images by the suspect, or by what a defence has made of it. */
export function encodeCell(lab: Lab, suspect: Suspect, model = suspect.model): Cell<"encode"> {
  const { input, needs } = modelParts(model);
  const { secret, fit, fitted } = suspect;
  return {
    kind: "encode",
    name: "cell" in model ? model.cell.name : suspect.name,
    input: { ...input, trigger: secret?.trigger, fitted },
    needs: { ...needs, images: testCell(lab), ...(fit ? { fit } : {}) },
    ...("folder" in suspect.model ? { folder: suspect.model.folder } : {}),
  };
}

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

export function measureCell(lab: Lab, suspect: Suspect, choice: DefenceChoice): Cell<"measure"> {
  const defended = defendCell(lab, suspect, choice);
  const model = defences[choice.defence].makes === "weights" ? { cell: defended } : suspect.model;
  return {
    kind: "measure",
    name: defended.name,
    input: { target: suspect.secret?.target, perClass: defended.input.perClass },
    needs: {
      defended,
      encoded: encodeCell(lab, suspect, model),
      shots: shotsCell(lab),
      test: testCell(lab),
    },
  };
}

const wordsOf = (parameters: object): string[] =>
  Object.entries(parameters).map(([name, value]) => `${name} ${value}`);
