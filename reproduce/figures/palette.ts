/** Okabe and Ito's colours, which people with any kind of colour vision tell apart, darkened where they carry text. */
export const COLOURS = {
  blue: "#0072b2",
  orange: "#e69f00",
  green: "#009e73",
  red: "#d55e00",
  purple: "#cc79a7",
  sky: "#56b4e9",
  grey: "#8a8f98",
} as const;

/** In the order in which series take them. */
export const SERIES = [
  COLOURS.blue,
  COLOURS.red,
  COLOURS.green,
  COLOURS.orange,
  COLOURS.purple,
  COLOURS.sky,
  COLOURS.grey,
] as const;

/** A light card with dark ink: legible on a light page and on a dark one. */
export const CARD = "#fcfcfb";
export const INK = "#22262b";
export const FAINT_INK = "#5b626b";
export const GRID = "#e3e5e8";
