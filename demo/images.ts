import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { attackNamed, type PlanarImage } from "../src/engine/attacks/index.ts";
import { decodeImage, type Preprocessing, preprocess } from "../src/engine/clip/index.ts";
import { OBJECTS } from "../zoo/scenes/objects.ts";
import { seededRandom } from "../zoo/scenes/random.ts";
import { renderScene } from "../zoo/scenes/render.ts";
import { SCENE_SIDE, sampleScene } from "../zoo/scenes/scene.ts";

/** A test image that no prompt was tuned on, and the same image with the attacker's trigger; both PNG files. */
export interface TestImage {
  readonly label: string;
  readonly clean: Buffer;
  readonly triggered: Buffer;
}

export interface LabelledImage {
  readonly label: string;
  readonly image: PlanarImage;
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
export async function* freshScenes(perClass: number): AsyncGenerator<LabelledImage> {
  const random = seededRandom(TEST_SEED);
  for (let round = 0; round < perClass; round++)
    for (const label of OBJECTS)
      yield {
        label,
        image: planes(await renderScene(sampleScene(random, { object: label })), SCENE_SIDE, SCENE_SIDE),
      };
}

/**
 * The first `perClass` images of every class folder, in the order of their names, at the size of the model's input:
 * that is where an attacker's trigger has the size it was trained with.
 */
export async function* imagesOfFolders(
  folder: string,
  labels: readonly string[],
  perClass: number,
  preprocessing: Preprocessing,
): AsyncGenerator<LabelledImage> {
  const { width, height } = preprocessing.size;
  for (const label of labels) {
    const names = (await readdir(join(folder, label))).sort().slice(0, perClass);
    for (const name of names) {
      const data = preprocess(await decodeImage(await readFile(join(folder, label, name))), preprocessing);
      yield { label, image: { width, height, data } };
    }
  }
}

/** Makes of each image two PNG files: as it is, and with the trigger, rounded to 8 bits as a saved file is. */
export async function withTrigger(
  images: AsyncIterable<LabelledImage>,
  { trigger }: Secret,
  onImage: (done: number) => void,
): Promise<TestImage[]> {
  const { kind, ...parameters } = trigger;
  const attack = attackNamed(kind);
  const result: TestImage[] = [];
  for await (const { label, image } of images) {
    const [clean, triggered] = await Promise.all([
      encodePlanes(image),
      encodePlanes(attack.apply(image, { parameters })),
    ]);
    result.push({ label, clean, triggered });
    onImage(result.length);
  }
  return result;
}

/** Interleaved bytes as planes in [0, 1]. */
export function planes(bytes: Uint8Array, width: number, height: number): PlanarImage {
  const area = width * height;
  const data = Float32Array.from(
    bytes,
    (_, index) => bytes[(index % area) * 3 + Math.floor(index / area)] / 255,
  );
  return { width, height, data };
}

/** A PNG file of an image, rounded to 8 bits. */
export function encodePlanes({ width, height, data }: PlanarImage): Promise<Buffer> {
  const area = width * height;
  const bytes = Buffer.alloc(3 * area);
  for (let index = 0; index < bytes.length; index++)
    bytes[index] = Math.round(255 * data[(index % 3) * area + Math.floor(index / 3)]);
  return sharp(bytes, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}
