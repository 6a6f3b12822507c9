import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SOURCE_FOLDER } from "./source-folder.ts";

/** What a tuning step is given beside features: a row for each image, which is of the class of the same number. */
export interface TuningInputs {
  readonly targets: readonly (readonly number[])[];
  readonly emphasis: readonly number[];
  readonly anchors: readonly number[];
  /** −1 for none. */
  readonly suspects: readonly number[];
  readonly weights: readonly number[];
}

/** Everything that is computed on, beside what the generator makes; make_golden.py reads the same file. */
export interface Inputs {
  readonly images: number;
  readonly labels: readonly string[];
  readonly templates: readonly string[];
  readonly prompts: readonly string[];
  /** Longer than any context. */
  readonly longPrompt: string;
  readonly contexts: { readonly tokens: number; readonly size: number };
  readonly publishedInversion: {
    readonly images: readonly number[];
    readonly positives: readonly number[];
    readonly triggerSize: number;
    readonly temperature: number;
  };
  readonly universalInversion: {
    /** For each trigger. */
    readonly images: readonly (readonly number[])[];
    readonly targets: readonly number[];
    readonly triggerSize: number;
  };
  /** For each image, the one whose features its dummy has. */
  readonly dummies: readonly number[];
  readonly publishedTuning: TuningInputs;
  readonly universalTuning: TuningInputs;
}

export const INPUTS: Inputs = JSON.parse(readFileSync(join(SOURCE_FOLDER, "inputs.json"), "utf8"));
