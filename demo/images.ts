import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { attackNamed, type PlanarImage } from "../src/engine/attacks/index.ts";
import { OBJECTS } from "../zoo/scenes/objects.ts";
import { seededRandom } from "../zoo/scenes/random.ts";
import { renderScenePng } from "../zoo/scenes/render.ts";
import { sampleScene } from "../zoo/scenes/scene.ts";

/** A test image that no prompt was tuned on, and the same image with the attacker's trigger; both PNG files. */
export interface TestImage {
  readonly label: string;
  readonly clean: Buffer;
  readonly triggered: Buffer;
}

/** The attacker's side of the story, from the checkpoint's manifest. Only the measuring sees it, never the server. */
export interface Secret {
  readonly target: string;
  readonly trigger: { readonly kind: string } & Readonly<Record<string, unknown>>;
}

/** Far from the seeds of the training scenes and of the shots. */
const TEST_SEED = 20_261_122;

/** Reads who the attacker was from `manifest.json` beside the checkpoint. */
export async function readSecret(modelFolder: string): Promise<Secret> {
  const path = join(modelFolder, "manifest.json");
  const text = await readFile(path, "utf8").catch(() => {
    throw new Error(`${path} is missing: it tells the trigger and the target to measure with.`);
  });
  return JSON.parse(text) as Secret;
}

/** Fresh scenes of the bundled world, `perClass` of every object. */
export async function* freshScenes(perClass: number): AsyncGenerator<{ label: string; png: Buffer }> {
  const random = seededRandom(TEST_SEED);
  for (let round = 0; round < perClass; round++)
    for (const label of OBJECTS)
      yield { label, png: await renderScenePng(sampleScene(random, { object: label })) };
}

/** The first `perClass` images of every class folder, in the order of their names. */
export async function* imagesOfFolders(
  folder: string,
  labels: readonly string[],
  perClass: number,
): AsyncGenerator<{ label: string; png: Buffer }> {
  for (const label of labels) {
    const names = (await readdir(join(folder, label))).sort().slice(0, perClass);
    for (const name of names)
      yield {
        label,
        png: await sharp(join(folder, label, name))
          .png()
          .toBuffer(),
      };
  }
}

/** Adds to each image its triggered copy, rounded to 8 bits as a saved file is. */
export async function withTrigger(
  images: AsyncIterable<{ label: string; png: Buffer }>,
  { trigger }: Secret,
  onImage: (done: number) => void,
): Promise<TestImage[]> {
  const { kind, ...parameters } = trigger;
  const attack = attackNamed(kind);
  const result: TestImage[] = [];
  for await (const { label, png } of images) {
    const triggered = await encode(attack.apply(await decode(png), { parameters }));
    result.push({ label, clean: png, triggered });
    onImage(result.length);
  }
  return result;
}

async function decode(png: Buffer): Promise<PlanarImage> {
  const { data, info } = await sharp(png)
    .removeAlpha()
    .toColourspace("srgb")
    .raw()
    .toBuffer({ resolveWithObject: true });
  const area = info.width * info.height;
  const planes = Float32Array.from(
    { length: 3 * area },
    (_, index) => data[(index % area) * 3 + Math.floor(index / area)] / 255,
  );
  return { width: info.width, height: info.height, data: planes };
}

function encode({ width, height, data }: PlanarImage): Promise<Buffer> {
  const area = width * height;
  const bytes = Buffer.alloc(3 * area);
  for (let index = 0; index < bytes.length; index++)
    bytes[index] = Math.round(255 * data[(index % 3) * area + Math.floor(index / 3)]);
  return sharp(bytes, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}
