import type { Size } from "./size.ts";
import { bundled, type ImplantChoice, implanted, type Suspect, suspectsIn } from "./suspects.ts";

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
