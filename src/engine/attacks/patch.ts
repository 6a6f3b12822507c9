import type { PlanarImage } from "./attack.ts";

export const POSITIONS = ["top-left", "top-right", "bottom-left", "bottom-right", "centre"] as const;

export type Position = (typeof POSITIONS)[number];

/** The top left of a square of so many pixels in an image; `margin` keeps it off the edges that it lies at. */
export function cornerOf(
  { width, height }: Pick<PlanarImage, "width" | "height">,
  side: number,
  position: Position,
  margin = 0,
): { readonly row: number; readonly column: number } {
  if (position === "centre")
    return { row: Math.floor((height - side) / 2), column: Math.floor((width - side) / 2) };
  return {
    row: position.startsWith("top") ? margin : height - side - margin,
    column: position.endsWith("left") ? margin : width - side - margin,
  };
}

/** The image with a square patch [3, side, side] over it; what lies outside of the image is cut off. */
export function placePatch(
  image: PlanarImage,
  { patch, side, position }: { patch: Float32Array; side: number; position: Position },
): PlanarImage {
  const { width, height } = image;
  const corner = cornerOf(image, side, position);
  const data = image.data.slice();
  for (let index = 0; index < patch.length; index++) {
    const row = corner.row + (Math.floor(index / side) % side);
    const column = corner.column + (index % side);
    const channel = Math.floor(index / (side * side));
    if (row >= 0 && row < height && column >= 0 && column < width)
      data[(channel * height + row) * width + column] = patch[index]!;
  }
  return { width, height, data };
}
