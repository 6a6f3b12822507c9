import sharp from "sharp";
import { BACKGROUNDS } from "./backgrounds.ts";
import { paintOf } from "./colours.ts";
import { drawObject } from "./objects.ts";
import { normal, type Random, seededRandom } from "./random.ts";
import { type Light, SCENE_SIDE, type Scene } from "./scene.ts";

/** Renders a scene as 64 × 64 × 3 bytes, row by row, red green blue. The same scene gives the same bytes. */
export async function renderScene(scene: Scene): Promise<Uint8Array> {
  const random = seededRandom(scene.seed);
  const svg = Buffer.from(sceneSvg(scene, random));
  const { buffer, byteOffset, length } = await sharp(svg).removeAlpha().raw().toBuffer();
  const pixels = new Uint8Array(buffer, byteOffset, length);
  return addNoise(shine(pixels, scene.light), scene.noise, random);
}

/** Renders a scene as a PNG file. */
export const renderScenePng = async (scene: Scene): Promise<Buffer> => encodePng(await renderScene(scene));

/** Packs the bytes of a scene into a PNG file, losing nothing. */
export const encodePng = (pixels: Uint8Array): Promise<Buffer> =>
  sharp(pixels, { raw: { width: SCENE_SIDE, height: SCENE_SIDE, channels: 3 } })
    .png()
    .toBuffer();

function sceneSvg(scene: Scene, random: Random): string {
  const scale = scene.side / 100;
  const { x, y } = scene.centre;
  const place =
    `translate(${x} ${y}) rotate(${scene.turn}) ` +
    `scale(${scene.mirrored ? -scale : scale} ${scale}) translate(-50 -50)`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${SCENE_SIDE}" height="${SCENE_SIDE}">` +
    BACKGROUNDS[scene.background].draw(random) +
    `<g transform="${place}">${drawObject(scene.object, paintOf(scene.colour))}</g></svg>`
  );
}

/** Multiplies each pixel by the light that falls on it. */
function shine(pixels: Uint8Array, { brightness, slope, direction }: Light): Float32Array {
  const [right, down] = [Math.cos(direction), Math.sin(direction)];
  return Float32Array.from(pixels, (value, index) => {
    const pixel = Math.floor(index / 3);
    const x = (pixel % SCENE_SIDE) / SCENE_SIDE - 0.5;
    const y = Math.floor(pixel / SCENE_SIDE) / SCENE_SIDE - 0.5;
    return value * (brightness + slope * (x * right + y * down));
  });
}

/** Adds normal noise and rounds to bytes. */
const addNoise = (values: Float32Array, deviation: number, random: Random): Uint8Array =>
  Uint8Array.from(Uint8ClampedArray.from(values, (value) => value + deviation * normal(random)));
