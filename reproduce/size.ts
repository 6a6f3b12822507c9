/** How large a reproduction is: what the full one and the quick one differ in. */
export interface Size {
  readonly name: "full" | "quick";
  /** Test scenes of each of the 20 objects, and their seed: seen by this command only, and not the same for both. */
  readonly test: { readonly perClass: number; readonly seed: number };
  /** Clean shots of each class, and their seed: 3 gives those that are bundled in `zoo/shots`. */
  readonly shots: { readonly perClass: number; readonly seed: number };
  /** Scenes to implant with, and how. */
  readonly implants: { readonly scenes: number; readonly config: object };
  /** Whether every attack is implanted, or one of them. */
  readonly attacks: "all" | "one";
  /** Hyper-parameters other than the defaults, by defence. */
  readonly parameters: Readonly<Record<string, object>>;
}

export const FULL: Size = {
  name: "full",
  test: { perClass: 200, seed: 20_261_126 },
  shots: { perClass: 16, seed: 3 },
  implants: { scenes: 24_000, config: {} },
  attacks: "all",
  parameters: {},
};

/** About ten minutes on two cores that do nothing else. */
export const QUICK: Size = {
  name: "quick",
  test: { perClass: 50, seed: 20_261_127 },
  shots: { perClass: 16, seed: 3 },
  implants: { scenes: 4_000, config: { steps: 300 } },
  attacks: "one",
  parameters: {},
};
