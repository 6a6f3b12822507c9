import type { PlanarImage } from "../../src/engine/attacks/index.ts";
import { type ImageList, listOf } from "../../src/engine/evaluation/encode.ts";
import { SHIFTS, type ShiftName } from "../../src/engine/evaluation/shifts.ts";
import { randomStream } from "../../src/engine/random.ts";
import type { Archive } from "../archive.ts";
import type { Cell } from "../cell.ts";
import { readScenes, sceneAt } from "../images.ts";
import { openTrigger } from "./attacker.ts";
import { need } from "./context.ts";

/** The images that a cell looks at: as they are and, of a suspect, with its trigger. */
export interface TestImages {
  readonly clean: ImageList;
  readonly triggered?: ImageList;
}

/** Each is made when it is needed: shifted first, then triggered. */
export async function testImages(cell: Cell<"encode" | "look">, archive: Archive): Promise<TestImages> {
  const { trigger, shift } = cell.input;
  const scenes = await readScenes(archive, need(cell, "images"));
  const list = (change: (image: PlanarImage) => PlanarImage): ImageList =>
    listOf(scenes.labels.length, (index) => change(shifted(sceneAt(scenes, index), shift, index)).data);
  return {
    clean: list((image) => image),
    ...(trigger ? { triggered: list((await openTrigger(cell, trigger, archive)).stamp) } : {}),
  };
}

/** Each image has randomness of its own. */
const shifted = (image: PlanarImage, shift: ShiftName | undefined, index: number): PlanarImage =>
  shift === undefined ? image : SHIFTS[shift](image, randomStream(1, "shift", shift, index));

/** The same images; is told which is made. */
export const watched = (images: ImageList, watch: (index: number) => void): ImageList =>
  listOf(images.length, (index) => {
    watch(index);
    return images.at(index) as Float32Array;
  });
