import { choice, real, whole } from "../parameters.ts";
import { defineAttack, mapImage } from "./attack.ts";
import { cornerOf, POSITIONS } from "./patch.ts";

const PATTERNS = ["even", "checkerboard", "stripes", "solid"] as const;

type Pattern = (typeof PATTERNS)[number];

/** Whether the patch is bright at a place counted from its own top left; it is black elsewhere. */
const BRIGHT: Record<Pattern, (row: number, column: number) => boolean> = {
  even: (row, column) => row % 2 === 0 && column % 2 === 0,
  checkerboard: (row, column) => (row + column) % 2 === 0,
  stripes: (row) => row % 2 === 0,
  solid: () => true,
};

/** Covers a corner (or the centre) with a small square of a fixed pattern. */
export const badnet = defineAttack({
  name: "badnet",
  paper: "Gu et al. 2017, arXiv:1708.06733",
  defaults: {
    size: whole(
      0,
      [0, 224],
      "Side of the square in pixels; 0 for a fourteenth of the image's side, rounded up",
    ),
    position: choice("bottom-right", POSITIONS, "Where the square lies"),
    margin: whole(0, [0, 224], "Pixels between the square and the edges it lies at"),
    pattern: choice("even", PATTERNS, "Which of its pixels are bright"),
    value: real(1, [0, 1], "How bright they are; the others are 0"),
  },
  stamp: (image, { size, position, margin, pattern, value }) => {
    const side = size || Math.ceil(Math.min(image.width, image.height) / 14);
    const corner = cornerOf(image, side, position, margin);
    return mapImage(image, (old, imageRow, imageColumn) => {
      const row = imageRow - corner.row;
      const column = imageColumn - corner.column;
      const covered = row >= 0 && row < side && column >= 0 && column < side;
      return covered ? (BRIGHT[pattern](row, column) ? value : 0) : old;
    });
  },
});
