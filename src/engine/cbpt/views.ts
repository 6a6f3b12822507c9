import type { ImageSize } from "../clip/architecture.ts";
import type { Random } from "../random.ts";

/** How far a view may be shifted, as a share of the side. */
const SHIFT = 1 / 16;
/** How much brighter or darker a view may be: as a factor, and as an offset on [0, 1]. */
const LIGHT = { factor: 0.2, offset: 0.1 };

/**
 * Another view of a clean image [3, H, W]: mirrored or not, shifted by a few pixels (edges repeated), in another
 * light. Mild on purpose: views that are turned or zoomed are no longer like the images to come, and cost accuracy.
 *
 * @param light how far the light may change, as a share of what it does when absent.
 */
export function drawView(
  pixels: Float32Array,
  { height, width }: ImageSize,
  random: Random,
  light = 1,
): Float32Array {
  const mirrored = random.uniform() < 0.5;
  const symmetric = (most: number) => most * (2 * random.uniform() - 1);
  const [right, down] = [Math.round(symmetric(SHIFT * width)), Math.round(symmetric(SHIFT * height))];
  const [factor, offset] = [1 + symmetric(light * LIGHT.factor), symmetric(light * LIGHT.offset)];
  const view = new Float32Array(pixels.length);
  let target = 0;
  for (let plane = 0; plane < pixels.length; plane += height * width)
    for (let row = 0; row < height; row++) {
      const line = plane + clamp(row + down, height) * width;
      for (let column = 0; column < width; column++) {
        const from = clamp((mirrored ? width - 1 - column : column) + right, width);
        const value = pixels[line + from] * factor + offset;
        view[target++] = value < 0 ? 0 : value > 1 ? 1 : value;
      }
    }
  return view;
}

const clamp = (place: number, size: number): number => (place < 0 ? 0 : place >= size ? size - 1 : place);
