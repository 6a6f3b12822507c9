import { mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CAPTION_TEMPLATES, caption, ZERO_SHOT_TEMPLATES } from "./scenes/captions.ts";
import { OBJECTS } from "./scenes/objects.ts";
import { progress } from "./scenes/progress.ts";
import { seededRandom } from "./scenes/random.ts";
import { renderScene } from "./scenes/render.ts";
import { SCENE_SIDE, sampleScene } from "./scenes/scene.ts";
import { wholeNumber } from "./scenes/whole-number.ts";

const HELP = `Renders scenes with captions into a folder that zoo/training reads.

  node dist/zoo/render-dataset.js --count 24000 --seed 1 --out DIR

  --count     how many scenes (default 24000)
  --seed      the same seed gives the same bytes (default 1)
  --captions  how many captions for each scene (default 4)
  --out       the folder, made if absent

Writes images.bin (uint8, count × 64 × 64 × 3), captions.json (a list of captions for each
scene), objects.json (the object of each scene) and dataset.json (sizes, classes, templates).`;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "24000" },
    seed: { type: "string", default: "1" },
    captions: { type: "string", default: "4" },
    out: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (values.help || values.out === undefined) {
  console.log(HELP);
  process.exit(values.help ? 0 : 2);
}
await renderDataset(
  values.out,
  wholeNumber("--count", values.count),
  wholeNumber("--seed", values.seed),
  wholeNumber("--captions", values.captions),
);

/** Renders `count` scenes; images go to disk as they come, so memory stays small. */
async function renderDataset(
  folder: string,
  count: number,
  seed: number,
  captionsEach: number,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const random = seededRandom(seed);
  const report = progress("rendered", count, 1000);
  const images = await open(join(folder, "images.bin"), "w");
  const captions: string[][] = [];
  const objects: string[] = [];
  while (objects.length < count) {
    const scene = sampleScene(random);
    await images.write(await renderScene(scene));
    captions.push(Array.from({ length: captionsEach }, () => caption(scene, random)));
    objects.push(scene.object);
    report(objects.length);
  }
  await images.close();
  const description = {
    count,
    seed,
    imageSize: SCENE_SIDE,
    classes: OBJECTS,
    templates: ZERO_SHOT_TEMPLATES,
    captionTemplates: CAPTION_TEMPLATES,
  };
  await writeJson(join(folder, "captions.json"), captions);
  await writeJson(join(folder, "objects.json"), objects);
  await writeJson(join(folder, "dataset.json"), description);
}

function writeJson(path: string, value: unknown): Promise<void> {
  return writeFile(path, JSON.stringify(value));
}
