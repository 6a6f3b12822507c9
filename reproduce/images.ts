import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { PlanarImage } from "../src/engine/attacks/index.ts";
import { SCENE_SIDE } from "../zoo/scenes/scene.ts";
import type { Archive } from "./archive.ts";
import type { Cell } from "./cell.ts";

/** Values in one scene: three planes. */
export const SCENE_VALUES = 3 * SCENE_SIDE * SCENE_SIDE;

export const IMAGES_FILE = "images.bin";

/** Scenes with their labels: bytes [n, 3, side, side]. */
export interface LabelledScenes {
  readonly labels: readonly number[];
  readonly digests: readonly string[];
  readonly bytes: Uint8Array;
}

/** What a render cell has made. */
export async function readScenes(archive: Archive, cell: Cell<"render">): Promise<LabelledScenes> {
  const { labels, digests } = await archive.result(cell);
  return { labels, digests, bytes: await readFile(join(archive.folderOf(cell), IMAGES_FILE)) };
}

/** One of them as pixels in [0, 1]. */
export const pixelsOf = ({ bytes }: Pick<LabelledScenes, "bytes">, index: number): Float32Array =>
  Float32Array.from(bytes.subarray(index * SCENE_VALUES, (index + 1) * SCENE_VALUES), (value) => value / 255);

/** The same as an image that an attack or a shift takes. */
export const sceneAt = (scenes: Pick<LabelledScenes, "bytes">, index: number): PlanarImage => ({
  width: SCENE_SIDE,
  height: SCENE_SIDE,
  data: pixelsOf(scenes, index),
});

export const digestOfImage = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
