import { BACKGROUND_NAMES, type BackgroundName } from "./backgrounds.ts";
import { COLOUR_NAMES, type Colour } from "./colours.ts";
import { OBJECTS, type ObjectName } from "./objects.ts";
import { between, chance, freshSeed, pick, type Random } from "./random.ts";

/** The side of a scene in pixels. */
export const SCENE_SIDE = 64;

export type Size = "small" | "large";

/** The side of an object's box in pixels, from and to, for each size. */
const SIDES: Record<Size, readonly [number, number]> = { small: [24, 30], large: [42, 52] };

/** Everything there is to know about a picture; rendering adds no randomness of its own. */
export interface Scene {
  object: ObjectName;
  colour: Colour;
  background: BackgroundName;
  size: Size;
  /** The object's box: its side and its centre, in pixels from the top left. */
  side: number;
  centre: { x: number; y: number };
  /** Clockwise, in degrees. */
  turn: number;
  /** Whether the object is drawn as its mirror image. */
  mirrored: boolean;
  light: Light;
  /** Standard deviation of the noise on each channel, of 255. */
  noise: number;
  /** Where the details of the background, and the noise, come from. */
  seed: number;
}

/** Brightness over the whole picture, and how much it rises along a direction. */
export interface Light {
  brightness: number;
  slope: number;
  /** In radians. */
  direction: number;
}

/** Draws a scene at random; `object` fixes what it shows. */
export function sampleScene(random: Random, fixed: { object?: ObjectName } = {}): Scene {
  const size: Size = chance(random, 0.5) ? "small" : "large";
  const side = between(random, ...SIDES[size]);
  return {
    object: fixed.object ?? pick(random, OBJECTS),
    colour: pick(random, COLOUR_NAMES),
    background: pick(random, BACKGROUND_NAMES),
    size,
    side,
    centre: { x: withinScene(random, side), y: withinScene(random, side) },
    turn: between(random, -25, 25),
    mirrored: chance(random, 0.5),
    light: {
      brightness: between(random, 0.75, 1.15),
      slope: between(random, 0, 0.25),
      direction: between(random, 0, 2 * Math.PI),
    },
    noise: between(random, 0, 10),
    seed: freshSeed(random),
  };
}

/** A coordinate at which a box of the given side lies within the picture. */
const withinScene = (random: Random, side: number): number =>
  between(random, side / 2, SCENE_SIDE - side / 2);
