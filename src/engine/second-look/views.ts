import type { ImageSize } from "../clip/architecture.ts";

/** In the order in which they are looked at. */
export const VIEW_NAMES = ["MIRRORED", "TURNED_LEFT", "TURNED_RIGHT"] as const;
export type ViewName = (typeof VIEW_NAMES)[number];

/** An image as it would be seen otherwise: what it shows is still there, and a trigger is not where and how it was learned. */
interface View {
  readonly mirrored: boolean;
  /** Against the clock, about the centre. */
  readonly degrees: number;
}

/** So far that a pattern no longer lies on itself, and so little that things still look as they do. */
const TURN = 15;

/**
 * Whether an image is given the class that both prompts see in a view of it. A turned pattern that covers the image can
 * be near enough to a trigger to mislead both (of Blended noise 1.5 %), so a turned view says nothing for the class that
 * is suspected: the one that the undefended prompts see in the image itself.
 */
export const settles = (name: ViewName, label: number, suspected: number): boolean =>
  VIEWS[name].degrees === 0 || label !== suspected;

const VIEWS: Readonly<Record<ViewName, View>> = {
  MIRRORED: { mirrored: true, degrees: 0 },
  TURNED_LEFT: { mirrored: false, degrees: TURN },
  TURNED_RIGHT: { mirrored: false, degrees: -TURN },
};

const CHANNELS = 3;

/**
 * A view of an image [3, H, W]: every pixel is interpolated between the four that it falls between. Where a turned image
 * has nothing, its edge goes on.
 */
export function seenAs(name: ViewName, pixels: Float32Array, { height, width }: ImageSize): Float32Array {
  const { mirrored, degrees } = VIEWS[name];
  const [sine, cosine] = [Math.sin((degrees * Math.PI) / 180), Math.cos((degrees * Math.PI) / 180)];
  const [middle, centre] = [(height - 1) / 2, (width - 1) / 2];
  const plane = height * width;
  const view = new Float32Array(CHANNELS * plane);
  for (let row = 0, at = 0; row < height; row++) {
    const down = row - middle;
    for (let column = 0; column < width; column++, at++) {
      const right = column - centre;
      const across = cosine * right - sine * down;
      const x = within(centre + (mirrored ? -across : across), width);
      const y = within(middle + sine * right + cosine * down, height);
      const [left, top] = [Math.floor(x), Math.floor(y)];
      const corner = top * width + left;
      // On the last column and row there is nothing further to interpolate with.
      const [next, below] = [left + 1 < width ? 1 : 0, top + 1 < height ? width : 0];
      const [toRight, toBottom] = [x - left, y - top];
      for (let from = corner, to = at; to < view.length; from += plane, to += plane) {
        const upper = pixels[from] + toRight * (pixels[from + next] - pixels[from]);
        const lower = pixels[from + below] + toRight * (pixels[from + below + next] - pixels[from + below]);
        view[to] = upper + toBottom * (lower - upper);
      }
    }
  }
  return view;
}

const within = (place: number, length: number): number => Math.min(length - 1, Math.max(0, place));
