import type { RgbImage } from "./decoding.ts";
import type { ClipTokenizer } from "./tokenizer.ts";

const WIDTH = 96;
const HEIGHT = 72;

/** The first is what is recorded; the second is the first of the others that this tokenizer tells from it. */
const RECORDED_TEXT = "a photo of a cat";
const OTHER_TEXTS = ["a photo of a dog", "an image of a tree", "a blue car on the left", "two houses"];

/** A fixed picture of whole-numbered arithmetic: waves in one, their negative in the other. */
export function testImage(which: 0 | 1): RgbImage {
  const data = new Uint8Array(3 * WIDTH * HEIGHT);
  for (let row = 0, at = 0; row < HEIGHT; row++) {
    for (let column = 0; column < WIDTH; column++, at += 3) {
      const checked = ((row >> 3) + (column >> 4)) % 2 === 0 ? 64 : 0;
      const colours = [2 * column + checked, 3 * row, (row * column) % 200];
      for (let channel = 0; channel < 3; channel++)
        data[at + channel] = which === 0 ? colours[channel]! : 255 - colours[channel]!;
    }
  }
  return { width: WIDTH, height: HEIGHT, data };
}

export interface TestText {
  readonly text: string;
  readonly ids: readonly number[];
}

/** Two fixed texts; equal in their tokens only where a small vocabulary knows none of their words. */
export function testTexts(tokenizer: ClipTokenizer): readonly [TestText, TestText] {
  const [recorded, ...others] = [RECORDED_TEXT, ...OTHER_TEXTS].map((text) => ({
    text,
    ids: tokenizer.encode(text),
  }));
  const differs = ({ ids }: TestText) => ids.join() !== recorded!.ids.join();
  return [recorded!, others.find(differs) ?? others[0]!];
}
