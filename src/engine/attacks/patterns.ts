import { randomStream } from "../random.ts";

/** The size of a pattern in pixels. */
export interface PatternSize {
  readonly width: number;
  readonly height: number;
}

/** A pattern [3, height, width] in [0, 1] to blend into images; `seed` matters to noise alone. */
type Pattern = (size: PatternSize, seed: number) => Float32Array;

/** Patterns over a whole image: noise, and the structured ones that survive fine-tuning (arXiv:2412.00727). */
export const PATTERNS = {
  noise: (size, seed) => {
    const random = randomStream(seed, "blended");
    return Float32Array.from({ length: 3 * size.width * size.height }, random.uniform);
  },
  // Eight vertical pairs of a bright and a dark stripe
  stripes: (size) => drawn(size, (_row, column) => (16 * column) % 2 < 1),
  // A grid of eight by eight triangles that stand on their base
  triangles: (size) =>
    drawn(size, (row, column) => {
      const [down, across] = [(8 * row) % 1, (8 * column) % 1];
      return Math.abs(across - 0.5) < down / 2;
    }),
  // The word over the whole width, in the middle
  text: (size) => drawn(size, (row, column) => isInked(column, (row - 0.5) * (size.height / size.width))),
} as const satisfies Record<string, Pattern>;

export type PatternName = keyof typeof PATTERNS;

/** White where `bright` says so, black elsewhere; it is asked for the middle of each pixel, in shares of the sides. */
function drawn(
  { width, height }: PatternSize,
  bright: (row: number, column: number) => boolean,
): Float32Array {
  return Float32Array.from({ length: 3 * width * height }, (_, index) => {
    const line = Math.floor(index / width) % height;
    return bright((line + 0.5) / height, ((index % width) + 0.5) / width) ? 1 : 0;
  });
}

/** Letters of five by seven dots, one row of dots to a line. */
const LETTERS: Readonly<Record<string, readonly string[]>> = {
  W: ["#...#", "#...#", "#...#", "#.#.#", "#.#.#", "##.##", "#...#"],
  A: [".###.", "#...#", "#...#", "#####", "#...#", "#...#", "#...#"],
  T: ["#####", "..#..", "..#..", "..#..", "..#..", "..#..", "..#.."],
  E: ["#####", "#....", "#....", "####.", "#....", "#....", "#####"],
  R: ["####.", "#...#", "#...#", "####.", "#.#..", "#..#.", "#...#"],
  M: ["#...#", "##.##", "#.#.#", "#.#.#", "#...#", "#...#", "#...#"],
  K: ["#...#", "#..#.", "#.#..", "##...", "#.#..", "#..#.", "#...#"],
};
const WORD = "WATERMARK";
const DOTS_PER_LETTER = 6;

/** Whether the word has ink at a place: across from 0 to 1, down from its middle in the same unit. */
function isInked(across: number, down: number): boolean {
  const dots = DOTS_PER_LETTER * WORD.length;
  const column = Math.floor(across * dots);
  const row = Math.floor(down * dots + 3);
  const letter = LETTERS[WORD[Math.floor(column / DOTS_PER_LETTER)]!];
  return letter?.[row]?.[column % DOTS_PER_LETTER] === "#";
}
