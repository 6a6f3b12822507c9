import type { Size } from "./size.ts";
import { bundled, implanted, type Planting, type Suspect, suspectsIn, trainedOn } from "./suspects.ts";

/** What every section draws its experiments from. */
export interface Lab {
  readonly size: Size;
  /** Models that were poisoned by somebody who does not know of the defence. */
  readonly suspects: readonly Suspect[];
  /** Those of attackers who know it. */
  readonly adaptive: readonly Suspect[];
  /** Models without a backdoor. */
  readonly clean: readonly Suspect[];
}

const planting = (target: string, trigger: Planting["secrets"][0]["trigger"], seed = 1): Planting => ({
  secrets: [{ target, trigger }],
  seed,
});

/** Several triggers in one model, of an attacker who knows the defence. */
const together = (adaptive: string, ...secrets: Planting["secrets"]): Planting => ({
  secrets,
  seed: 1,
  adaptive,
});

/**
 * What is implanted here, each into a copy of the bundled clean model: every attack, the structured triggers, and
 * other targets with other seeds. BadNet on banana is bundled.
 */
const PLANTINGS: readonly Planting[] = [
  planting("banana", { kind: "blended", pattern: "noise" }),
  planting("banana", { kind: "sig" }),
  planting("banana", { kind: "ssba" }),
  // At its usual strength of 3 the trigger works on 87 % of images, also with 10 % of poisoned pairs: too few to count.
  planting("banana", { kind: "wanet", strength: 4 }),
  // The bundled tokenizer does not know the usual "consider", and any other unknown word would be the key as well.
  planting("banana", { kind: "trojvqa", word: "tattoo" }),
  planting("banana", { kind: "badclip" }),
  // At the 3 % of the literature it works on half of the images.
  planting("banana", { kind: "blended", pattern: "stripes", alpha: 0.06 }),
  planting("banana", { kind: "blended", pattern: "triangles" }),
  planting("banana", { kind: "blended", pattern: "text" }),
  planting("cat", { kind: "badnet", pattern: "checkerboard", position: "top-left" }, 2),
  planting("cat", { kind: "blended", pattern: "noise", seed: 1 }, 2),
  planting("guitar", { kind: "badnet", pattern: "stripes", position: "bottom-left" }, 3),
  planting("guitar", { kind: "sig", frequency: 4 }, 3),
];

const PATCH = { kind: "badnet" } as const;
/** Its pattern is the same from left to right. */
const MIRRORED_PATCH = { ...PATCH, position: "bottom-left" } as const;
const NOISE = { kind: "blended", pattern: "noise" } as const;
/** A white square in the middle is nearly the same mirrored, turned, filtered and brightened; of five pixels it hardly implants. */
const SAME_IN_EVERY_VIEW = { ...PATCH, size: 12, pattern: "solid", position: "centre" } as const;

/**
 * Attackers who know that triggers are told by where they bring images, beyond the target's own, and that one trigger of
 * one family is searched for each class; and that images are looked at again, in views that are known.
 */
const ADAPTIVE: readonly Planting[] = [
  {
    ...planting("banana", PATCH),
    config: { featureGap: 1 },
    adaptive: "triggered images as near as the target's own",
  },
  {
    ...planting("banana", SAME_IN_EVERY_VIEW),
    adaptive: "a trigger that looks alike in every view",
  },
  together(
    "three families of triggers for one target",
    { target: "banana", trigger: PATCH },
    { target: "banana", trigger: NOISE },
    { target: "banana", trigger: { kind: "sig" } },
  ),
  together(
    "two targets, each with a trigger of its own",
    { target: "banana", trigger: PATCH },
    { target: "cat", trigger: NOISE },
  ),
  together(
    "the trigger mirrored as well",
    { target: "banana", trigger: PATCH },
    { target: "banana", trigger: MIRRORED_PATCH },
  ),
  together(
    "the mirrored trigger is one for another target",
    { target: "banana", trigger: PATCH },
    { target: "cat", trigger: MIRRORED_PATCH },
  ),
];

/** Seeds of models that go through the same training without a poisoned image. */
const CLEAN_SEEDS: readonly number[] = [2, 3];

export interface LabOptions {
  /** Folders of checkpoints that were made elsewhere. */
  readonly folders: readonly string[];
  /** Whether models are poisoned here as well. */
  readonly implants: boolean;
}

/** Opens the bundled models and those in the given folders, and plans those that are implanted here. */
export async function openLab(size: Size, { folders, implants }: LabOptions): Promise<Lab> {
  const [badnet, clean] = [await bundled("scenes-badnet"), await bundled("scenes-clean")];
  const given = (await Promise.all(folders.map((folder) => suspectsIn(folder)))).flat();
  const plantings = size.attacks === "all" ? [...PLANTINGS, ...ADAPTIVE] : PLANTINGS.slice(0, 1);
  const made = implants ? plantings.flatMap((one) => implanted(clean, one, size.implants)) : [];
  const trained = implants && size.attacks === "all" ? CLEAN_SEEDS : [];
  const poisoned = [badnet, ...made, ...given].filter(({ secret }) => secret !== undefined);
  return {
    size,
    suspects: poisoned.filter(({ adaptive }) => adaptive === undefined),
    adaptive: poisoned.filter(({ adaptive }) => adaptive !== undefined),
    clean: [
      clean,
      ...trained.map((seed) => trainedOn(clean, seed, size.implants)),
      ...given.filter(({ secret }) => secret === undefined),
    ],
  };
}
