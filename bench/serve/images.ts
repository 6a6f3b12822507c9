/** Images that a bench sends: no two are the same, so that nothing can be answered from memory. */
import sharp, { type Sharp } from "sharp";
import { normal, type Random, seededRandom } from "../../zoo/scenes/random.ts";
import { renderScene } from "../../zoo/scenes/render.ts";
import { SCENE_SIDE, sampleScene } from "../../zoo/scenes/scene.ts";

const SCENE = { width: SCENE_SIDE, height: SCENE_SIDE, channels: 3 } as const;
/** As large as the photographs of ImageNet usually are. */
const PHOTOGRAPH = { width: 500, height: 375, channels: 3 } as const;
/** So much that a file has about as many bytes as a photograph's: a hundred thousand. */
const GRAIN = 9;

const scene = async (random: Random): Promise<Sharp> =>
  sharp(await renderScene(sampleScene(random)), { raw: SCENE });

async function made(
  count: number,
  seed: number,
  make: (random: Random) => Promise<Buffer>,
): Promise<Buffer[]> {
  const random = seededRandom(seed);
  const files: Buffer[] = [];
  while (files.length < count) files.push(await make(random));
  return files;
}

/** Scenes of the bundled world, 64 × 64 pixels, as PNG files like those that come with it. */
export const scenes = (count: number, seed: number): Promise<Buffer[]> =>
  made(count, seed, async (random) => (await scene(random)).png().toBuffer());

/** JPEG files that cost what photographs cost: enlarged scenes with grain. */
export const photographs = (count: number, seed: number): Promise<Buffer[]> =>
  made(count, seed, async (random) => {
    const { width, height } = PHOTOGRAPH;
    const smooth = await (await scene(random)).resize(width, height, { fit: "fill" }).raw().toBuffer();
    const grainy = Uint8ClampedArray.from(smooth as Uint8Array, (value) => value + GRAIN * normal(random));
    return sharp(grainy, { raw: PHOTOGRAPH }).jpeg({ quality: 90 }).toBuffer();
  });

/** At the size of the input, so that whoever resizes in another way still sees the same pixels. */
export const squares = (count: number, side: number, seed: number): Promise<Buffer[]> =>
  made(count, seed, async (random) =>
    (await scene(random)).resize(side, side, { fit: "fill" }).png().toBuffer(),
  );
