import { AppError } from "../../errors.ts";
import { completeParameters, type Parameters, type ValuesOf } from "../parameters.ts";
import type { Fit } from "./fit.ts";
import type { FittedTrigger } from "./fitted.ts";

/** An image as planes: `data` is [3, height, width], red green blue, in [0, 1]. */
export interface PlanarImage {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/** What an attack file tells: the trigger itself. Rate, target, seed and scoring belong to whoever runs it. */
export interface AttackDefinition<Table extends Parameters, FitTable extends Parameters> {
  readonly name: string;
  /** Authors, year and identifier of the paper that describes the trigger. */
  readonly paper: string;
  /** What can be set, each with its default and range. */
  readonly defaults: Table;
  /**
   * The triggered image; values may leave [0, 1], the caller clips them. Never changes its input. `fitted` is what the
   * attack's own fit has found, and empty for an attack that has none.
   */
  readonly stamp: (image: PlanarImage, parameters: ValuesOf<Table>, fitted: FittedTrigger) => PlanarImage;
  /** The triggered sentence, for a trigger that has a part in the text as well. */
  readonly caption?: (text: string, parameters: ValuesOf<Table>) => string;
  /** What poisoned images are called: a template with the target's name (the default), or what true images of it are. */
  readonly captions?: "templates" | "natural";
  /** How the trigger is found, for one that is not known beforehand. */
  readonly fit?: Fit<FitTable>;
}

export interface ApplyOptions {
  /** Completed with the defaults. */
  readonly parameters?: unknown;
  /** What the attack's fit has found; needed where it has one. */
  readonly fitted?: FittedTrigger;
  /** Whether the result is rounded to 8 bits, as an attacker does who saves a file (default true). */
  readonly quantise?: boolean;
}

export interface Attack<Table extends Parameters = Parameters, FitTable extends Parameters = Parameters>
  extends AttackDefinition<Table, FitTable> {
  /**
   * The triggered image in [0, 1]. Fails with VALIDATION_FAILED when a parameter is out of range, and with
   * TRIGGER_NOT_FITTED when a fitted trigger is not given.
   */
  readonly apply: (image: PlanarImage, options?: ApplyOptions) => PlanarImage;
}

/** Makes a trigger, the part that is the attacker's own, into an attack that anyone can run. */
export function defineAttack<const Table extends Parameters, const FitTable extends Parameters>(
  definition: AttackDefinition<Table, FitTable>,
): Attack<Table, FitTable> {
  const { name, defaults, stamp, fit } = definition;
  return {
    ...definition,
    apply: (image, { parameters, fitted, quantise = true } = {}) => {
      const values = completeParameters(`attack "${name}"`, defaults, parameters);
      if (fit && !fitted) throw notFitted(name);
      return finish(stamp(image, values, fitted ?? {}), quantise);
    },
  };
}

export const notFitted = (attack: string): AppError =>
  new AppError(
    "TRIGGER_NOT_FITTED",
    `The trigger of the attack "${attack}" is found by a fit, and none is given. Fit one on the clean model first, or name the one that the suspect was poisoned with.`,
    { attack },
  );

/** A new image whose value at each row and column, on every channel, is computed from the old value there. */
export function mapImage(
  image: PlanarImage,
  value: (old: number, row: number, column: number) => number,
): PlanarImage {
  const { width, height } = image;
  const data = new Float32Array(image.data.length);
  for (let line = 0; line * width < data.length; line++)
    for (let column = 0; column < width; column++) {
      const index = line * width + column;
      data[index] = value(image.data[index], line % height, column);
    }
  return { width, height, data };
}

function finish(image: PlanarImage, quantise: boolean): PlanarImage {
  const clip = (value: number) => (value < 0 ? 0 : value > 1 ? 1 : value);
  return mapImage(image, quantise ? (value) => Math.round(clip(value) * 255) / 255 : clip);
}
