import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { planesOf } from "../../zoo/scenes/dataset.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import { seededRandom } from "../../zoo/scenes/random.ts";
import { renderScene } from "../../zoo/scenes/render.ts";
import { sampleScene } from "../../zoo/scenes/scene.ts";
import type { CellKinds } from "../cell.ts";
import { digestOfImage, IMAGES_FILE } from "../images.ts";
import type { Performer } from "./context.ts";

/** Scenes that are rendered side by side. */
const CHUNK = 100;

/** Renders so many scenes of every object; in the order of objects they are those of `zoo/shots` for its seed. */
export const render: Performer<"render"> = async ({ input }, { folder, report }) => {
  const labels = labelsOf(input);
  const random = seededRandom(input.seed);
  const scenes = labels.map((label) => sampleScene(random, { object: OBJECTS[label] }));
  const images: Uint8Array[] = [];
  while (images.length < scenes.length) {
    const part = scenes.slice(images.length, images.length + CHUNK);
    const rendered = await Promise.all(part.map(renderScene));
    images.push(...rendered.map((bytes) => planesOf({ images: bytes }, 0)));
    report(images.length / scenes.length);
  }
  await writeFile(join(folder, IMAGES_FILE), Buffer.concat(images));
  return { labels, digests: images.map(digestOfImage) };
};

const labelsOf = ({ perClass, order }: CellKinds["render"]["input"]): number[] =>
  Array.from({ length: perClass * OBJECTS.length }, (_, index) =>
    order === "turns" ? index % OBJECTS.length : Math.floor(index / perClass),
  );
