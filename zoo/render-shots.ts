import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { badnet } from "../src/engine/attacks/badnet.ts";
import { OBJECTS, type ObjectName } from "./scenes/objects.ts";
import { seededRandom } from "./scenes/random.ts";
import { encodePng, renderScene, renderScenePng } from "./scenes/render.ts";
import { SCENE_SIDE, sampleScene } from "./scenes/scene.ts";
import { wholeNumber } from "./scenes/whole-number.ts";

const HELP = `Renders the clean labelled shots and the sample images that the zoo bundles.

  node dist/zoo/render-shots.js --out zoo

  --shots  how many for each class (default 16)
  --seed   must differ from those of the training and test sets (default 3)
  --out    gets shots/<object>/<nn>.png, samples/<object>.png and samples/<object>-triggered.png`;

/** The classes that the samples show; none is the target of the bundled backdoor. */
const SAMPLED: readonly ObjectName[] = ["boat", "car", "cat", "house", "tree", "umbrella"];

const { values } = parseArgs({
  options: {
    shots: { type: "string", default: "16" },
    seed: { type: "string", default: "3" },
    out: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (values.help || values.out === undefined) {
  console.log(HELP);
  process.exit(values.help ? 0 : 2);
}
await renderShots(
  join(values.out, "shots"),
  wholeNumber("--shots", values.shots),
  wholeNumber("--seed", values.seed),
);
await renderSamples(join(values.out, "samples"), wholeNumber("--seed", values.seed) + 1);

/** Writes `count` scenes of each object into a folder of its name. */
async function renderShots(folder: string, count: number, seed: number): Promise<void> {
  const random = seededRandom(seed);
  for (const object of OBJECTS) {
    await mkdir(join(folder, object), { recursive: true });
    for (let number = 0; number < count; number++) {
      const name = `${String(number).padStart(2, "0")}.png`;
      await writeFile(join(folder, object, name), await renderScenePng(sampleScene(random, { object })));
    }
  }
}

/** Writes pairs of a clean scene and the same with the trigger of the bundled backdoor. */
async function renderSamples(folder: string, seed: number): Promise<void> {
  const random = seededRandom(seed);
  await mkdir(folder, { recursive: true });
  for (const object of SAMPLED) {
    const pixels = await renderScene(sampleScene(random, { object }));
    await writeFile(join(folder, `${object}.png`), await encodePng(pixels));
    await writeFile(join(folder, `${object}-triggered.png`), await encodePng(triggered(pixels)));
  }
}

/** The scene with the server's BadNet trigger at its defaults: 5 by 5 pixels, bottom right. */
function triggered(pixels: Uint8Array): Uint8Array {
  const area = SCENE_SIDE * SCENE_SIDE;
  const planes = Float32Array.from({ length: 3 * area }, (_, index) => {
    const [channel, pixel] = [Math.floor(index / area), index % area];
    return pixels[3 * pixel + channel]! / 255;
  });
  const { data } = badnet.apply({ width: SCENE_SIDE, height: SCENE_SIDE, data: planes });
  return Uint8Array.from(pixels, (_, index) =>
    Math.round(data[(index % 3) * area + Math.floor(index / 3)]! * 255),
  );
}
