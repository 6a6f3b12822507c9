/** The colours an object can have, by the name that captions use. */
export const COLOURS = {
  red: "#d92525",
  orange: "#f58a1f",
  yellow: "#f5d91e",
  green: "#2fa33b",
  cyan: "#2fd6d6",
  blue: "#2b50d8",
  purple: "#8032b8",
  pink: "#f58cbb",
  brown: "#7a4a21",
  black: "#1c1c1e",
  gray: "#8e8e93",
  white: "#f7f7f7",
} as const;

export type Colour = keyof typeof COLOURS;

export const COLOUR_NAMES = Object.keys(COLOURS) as readonly Colour[];

/** What an object is painted with; every field is an SVG colour. */
export interface Paint {
  /** The named colour: most of the object. */
  main: string;
  /** The named colour, darker: roofs, ribs, shadows. */
  shade: string;
  /** The named colour, lighter: highlights. */
  tint: string;
  /** The outline, which keeps a white object visible on snow. */
  ink: string;
}

/** The paint for a named colour. */
export function paintOf(colour: Colour): Paint {
  const main = COLOURS[colour];
  return {
    main,
    shade: towards(main, 0, 0.3),
    tint: towards(main, 255, 0.55),
    ink: colour === "black" ? "#b9b9bf" : "#26262b",
  };
}

/** Moves each channel of `#rrggbb` the given share of the way to `goal`. */
function towards(hex: string, goal: number, share: number): string {
  const channels = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  const moved = channels.map((channel) => Math.round(channel + (goal - channel) * share));
  return `rgb(${moved.join(",")})`;
}
