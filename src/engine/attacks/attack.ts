import { completeParameters, type Parameters, type ValuesOf } from "../parameters.ts";

/** An image as planes: `data` is [3, height, width], red green blue, in [0, 1]. */
export interface PlanarImage {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/** What an attack file tells: the trigger itself. Rate, target, seed and scoring belong to whoever runs it. */
export interface AttackDefinition<Table extends Parameters> {
  readonly name: string;
  /** Authors, year and identifier of the paper that describes the trigger. */
  readonly paper: string;
  /** What can be set, each with its default and range. */
  readonly defaults: Table;
  /** The triggered image; values may leave [0, 1], the caller clips them. Never changes its input. */
  readonly stamp: (image: PlanarImage, parameters: ValuesOf<Table>) => PlanarImage;
}

export interface Attack<Table extends Parameters = Parameters> extends AttackDefinition<Table> {
  /**
   * The triggered image in [0, 1]; rounded to 8 bits when `quantise` is set, as an attacker who saves a file does.
   * `parameters` are completed with the defaults; fails with VALIDATION_FAILED when one is out of range.
   */
  readonly apply: (image: PlanarImage, options?: { parameters?: unknown; quantise?: boolean }) => PlanarImage;
}

/** Makes a trigger, the part that is the attacker's own, into an attack that anyone can run. */
export function defineAttack<const Table extends Parameters>(
  definition: AttackDefinition<Table>,
): Attack<Table> {
  const { name, defaults, stamp } = definition;
  return {
    ...definition,
    apply: (image, { parameters, quantise = true } = {}) =>
      finish(stamp(image, completeParameters(`attack "${name}"`, defaults, parameters)), quantise),
  };
}

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
