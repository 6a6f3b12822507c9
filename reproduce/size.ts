import type { DefenceName } from "../src/engine/defences/index.ts";
import type { ImplantChoice } from "./suspects.ts";

/** How large a reproduction is: what the full one and the quick one differ in. */
export interface Size {
  readonly name: "full" | "quick";
  /** Test scenes of each of the 20 objects, and their seed: seen by this command only, and not the same for both. */
  readonly test: { readonly perClass: number; readonly seed: number };
  /** Clean shots of each class, and their seed: 3 gives those that are bundled in `zoo/shots`. */
  readonly shots: { readonly perClass: number; readonly seed: number };
  /** Scenes to implant with and to look at meanwhile, and how. */
  readonly implants: ImplantChoice;
  /** Whether every attack is implanted, or one of them. */
  readonly attacks: "all" | "one";
  /** Whether the published mode, which is slow, is run on every suspect or on the bundled one. */
  readonly published: "all" | "bundled";
  /** Shots of each class and context lengths to try; none leaves the ablations out. */
  readonly ablations?: { readonly shots: readonly number[]; readonly lengths: readonly number[] };
  /**
   * On how many suspects defences are compared, and at which learning rates those that change weights; none is each at
   * its default.
   */
  readonly comparison: { readonly suspects: number; readonly learningRates: readonly number[] };
  /** Whether other domains are tested. */
  readonly shifts: boolean;
  /** Hyper-parameters other than the defaults, by defence. */
  readonly parameters: Readonly<Partial<Record<DefenceName, object>>>;
}

const POWERS = [1, 2, 4, 8, 16];

export const FULL: Size = {
  name: "full",
  test: { perClass: 200, seed: 20_261_126 },
  shots: { perClass: 16, seed: 3 },
  implants: { scenes: 24_000, probes: 1000, config: {} },
  attacks: "all",
  published: "all",
  ablations: { shots: POWERS, lengths: POWERS },
  // What the literature uses, from the lowest to the highest.
  comparison: { suspects: 3, learningRates: [4.5e-6, 2e-5, 1e-4, 5e-4] },
  shifts: true,
  parameters: {},
};

/** From a fresh clone, `npm ci` included: 6 minutes on two quiet cores of an AMD EPYC. */
export const QUICK: Size = {
  name: "quick",
  test: { perClass: 50, seed: 20_261_127 },
  shots: { perClass: 16, seed: 3 },
  implants: { scenes: 4_000, probes: 1000, config: { steps: 300, probeEvery: 300 } },
  attacks: "one",
  published: "bundled",
  comparison: { suspects: 1, learningRates: [] },
  shifts: false,
  parameters: {},
};
