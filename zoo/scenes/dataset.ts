import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { entryPoint } from "../../src/engine/runtime/entry-point.ts";
import { WorkerPool } from "../../src/engine/runtime/worker-pool.ts";
import { CAPTION_TEMPLATES, caption, ZERO_SHOT_TEMPLATES } from "./captions.ts";
import { OBJECTS } from "./objects.ts";
import { seededRandom } from "./random.ts";
import { SCENE_SIDE, type Scene, sampleScene } from "./scene.ts";

/** Which scenes: the same count and seed give the same bytes. */
export interface DatasetChoice {
  readonly count: number;
  readonly seed: number;
  /** Captions for each scene. */
  readonly captions: number;
}

/** Scenes with their captions, the images in memory. */
export interface SceneDataset {
  readonly count: number;
  /** Row by row, red green blue: [count, side, side, 3]. */
  readonly images: Uint8Array;
  readonly captions: readonly (readonly string[])[];
  /** The object that each scene shows. */
  readonly objects: readonly string[];
}

const DESCRIPTION = "dataset.json";

/** Scenes in one task: about a tenth of a second. */
const CHUNK = 100;

/**
 * Renders scenes in worker threads into a folder that zoo/training reads too: images.bin, captions.json, objects.json
 * and, last, dataset.json. A folder that holds them already is left as it is. `report` is told how many are done.
 */
export async function renderDataset(
  folder: string,
  choice: DatasetChoice,
  threads: number,
  report: (done: number) => void = () => {},
): Promise<void> {
  const description = describe(choice);
  const found = await readFile(join(folder, DESCRIPTION), "utf8").catch(() => "");
  if (found === JSON.stringify(description)) return;
  await mkdir(folder, { recursive: true });
  const random = seededRandom(choice.seed);
  const drawn = Array.from({ length: choice.count }, () => {
    const scene = sampleScene(random);
    return { scene, captions: Array.from({ length: choice.captions }, () => caption(scene, random)) };
  });
  await renderImages(
    join(folder, "images.bin"),
    drawn.map(({ scene }) => scene),
    threads,
    report,
  );
  const write = (name: string, value: unknown) => writeFile(join(folder, name), JSON.stringify(value));
  await write(
    "captions.json",
    drawn.map(({ captions }) => captions),
  );
  await write(
    "objects.json",
    drawn.map(({ scene }) => scene.object),
  );
  await write(DESCRIPTION, description);
}

/** Reads what `renderDataset` has written. */
export async function readDataset(folder: string): Promise<SceneDataset> {
  const read = async (name: string) => JSON.parse(await readFile(join(folder, name), "utf8"));
  const [captions, objects] = [await read("captions.json"), await read("objects.json")];
  return { count: objects.length, images: await readFile(join(folder, "images.bin")), captions, objects };
}

/** One image as the model takes it: uint8 [3, side, side]. */
export function planesOf({ images }: Pick<SceneDataset, "images">, index: number): Uint8Array {
  const plane = SCENE_SIDE * SCENE_SIDE;
  const planes = new Uint8Array(3 * plane);
  const start = 3 * plane * index;
  for (let pixel = 0; pixel < plane; pixel++)
    for (let channel = 0; channel < 3; channel++)
      planes[channel * plane + pixel] = images[start + 3 * pixel + channel];
  return planes;
}

function describe({ count, seed }: DatasetChoice) {
  return {
    count,
    seed,
    imageSize: SCENE_SIDE,
    classes: OBJECTS,
    templates: ZERO_SHOT_TEMPLATES,
    captionTemplates: CAPTION_TEMPLATES,
  };
}

/** Images go to disk in order as they come, so memory stays small. */
async function renderImages(
  path: string,
  scenes: readonly Scene[],
  threads: number,
  report: (done: number) => void,
): Promise<void> {
  const options = { size: threads, capacity: 2 * threads };
  const pool = new WorkerPool<typeof import("./render-tasks.ts")>(
    entryPoint(import.meta.url, "render-tasks"),
    options,
  );
  const file = await open(path, "w");
  const under: Promise<Uint8Array>[] = [];
  try {
    for (let start = 0; start < scenes.length || under.length > 0; ) {
      for (; under.length < 2 * threads && start < scenes.length; start += CHUNK)
        under.push(pool.run("renderScenes", scenes.slice(start, start + CHUNK)));
      await file.write((await under.shift()) as Uint8Array);
      report(Math.min(scenes.length, start - CHUNK * under.length));
    }
  } finally {
    await file.close();
    await pool.close();
  }
}
