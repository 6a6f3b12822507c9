import sharp from "sharp";
import { decodeImage, type ImageLimits } from "../clip/decoding.ts";
import { preprocess } from "../clip/preprocessing.ts";
import type { PlanarImage } from "./attack.ts";
import { openTrigger, type Trigger, type TriggerChoice } from "./trigger.ts";

/** Pictures of a trigger on one image, PNG files of the same size. */
export interface Preview {
  readonly clean: Uint8Array;
  readonly triggered: Uint8Array;
  /** Grey where nothing changed; what did is shown `amplification` times as strong, brighter or darker. */
  readonly difference: Uint8Array;
  /** Peak signal-to-noise ratio of the trigger in decibels; absent where nothing changed. */
  readonly psnr?: number;
}

export interface PreviewChoice extends TriggerChoice {
  /** The encoded image. */
  readonly bytes: Uint8Array;
  readonly limits?: ImageLimits;
  /** Side of the square that the image is resized to and cropped from. */
  readonly side: number;
  readonly amplification: number;
}

/** A task for a `WorkerPool`. Fails as `decodeImage` and `openTrigger` do. */
export async function previewAttack(choice: PreviewChoice): Promise<Preview> {
  const { bytes, limits, side, amplification } = choice;
  const size = { width: side, height: side };
  const preprocessing = {
    size,
    mean: [],
    std: [],
    interpolation: "bicubic",
    resizeMode: "shortest",
  } as const;
  const data = preprocess(await decodeImage(bytes, limits), preprocessing);
  return previewOf({ ...size, data }, await openTrigger(choice), amplification);
}

export async function previewOf(
  image: PlanarImage,
  { stamp }: Pick<Trigger, "stamp">,
  amplification: number,
): Promise<Preview> {
  const triggered = stamp(image);
  const difference = triggered.data.map((value, index) => value - image.data[index]!);
  const power = difference.reduce((sum, value) => sum + value * value, 0) / difference.length;
  const shown = difference.map((value) => Math.min(1, Math.max(0, 0.5 + amplification * value)));
  const pictures = [image, triggered, { ...image, data: shown }].map(encodePng);
  const [first, second, third] = (await Promise.all(pictures)) as [Uint8Array, Uint8Array, Uint8Array];
  return {
    clean: first,
    triggered: second,
    difference: third,
    ...(power > 0 ? { psnr: -10 * Math.log10(power) } : {}),
  };
}

/** A PNG file of an image, rounded to 8 bits. */
export async function encodePng({ width, height, data }: PlanarImage): Promise<Uint8Array> {
  const area = width * height;
  const bytes = Buffer.alloc(3 * area);
  for (let index = 0; index < bytes.length; index++)
    bytes[index] = Math.round(255 * data[(index % 3) * area + Math.floor(index / 3)]!);
  const channels = 3;
  return sharp(bytes, { raw: { width, height, channels } }).png().toBuffer();
}
