import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { readSecret, type Secret } from "../src/engine/attacks/trigger.ts";
import { type GuardedText, guardedPredictions } from "../src/engine/cbpt/guard.ts";
import { type Checkpoint, openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import { decodeImage } from "../src/engine/clip/decoding.ts";
import { preprocess } from "../src/engine/clip/preprocessing.ts";
import { imageProgram, imagesPerRun } from "../src/engine/clip/programs.ts";
import { encodeImages } from "../src/engine/evaluation/encode.ts";
import { type Measurement, measure } from "../src/engine/evaluation/protocol.ts";
import { openSession, type Session } from "../src/engine/runtime/session.ts";
import { answersWithSecondLook, type ScalingEncoder } from "../src/engine/second-look/answers.ts";
import { seededRandom } from "../zoo/scenes/random.ts";
import { renderScene } from "../zoo/scenes/render.ts";
import { SCENE_SIDE, sampleScene } from "../zoo/scenes/scene.ts";

/** Test images of a model, encoded once without the trigger and once with it. */
export interface TestSet {
  readonly labels: readonly number[];
  readonly clean: Seen;
  readonly triggered?: Seen;
  /** For a second look; close its session. */
  readonly encoder: ScalingEncoder & { readonly session: Session };
}

/** Images [3, H, W] and their features [n, D]. */
interface Seen {
  readonly images: readonly Float32Array[];
  readonly features: Float32Array;
}

/** Paths and labels of class folders, at most `most` images of each class. */
export async function listImages(folder: string, most = Number.POSITIVE_INFINITY) {
  const labels = (await readdir(folder)).sort();
  const images: { blob: string; label: number }[] = [];
  for (const [label, name] of labels.entries()) {
    const files = (await readdir(join(folder, name))).sort().slice(0, most);
    images.push(...files.map((file) => ({ blob: join(folder, name, file), label })));
  }
  return { labels, images };
}

/** Pixels and labels of freshly rendered scenes, the classes in turn. */
export async function renderTest(
  checkpoint: Checkpoint,
  labels: readonly string[],
  count: number,
  seed: number,
) {
  const random = seededRandom(seed);
  const images: { pixels: Float32Array; label: number }[] = [];
  for (let index = 0; index < count; index++) {
    const label = index % labels.length;
    const data = await renderScene(sampleScene(random, { object: labels[label] as never }));
    const pixels = preprocess({ width: SCENE_SIDE, height: SCENE_SIDE, data }, checkpoint.preprocessing);
    images.push({ pixels, label });
  }
  return images;
}

/** Pixels and labels of class folders. */
export async function readTest(checkpoint: Checkpoint, folder: string, most: number) {
  const { images } = await listImages(folder, most);
  return Promise.all(
    images.map(async ({ blob, label }) => ({
      pixels: preprocess(await decodeImage(await readFile(blob)), checkpoint.preprocessing),
      label,
    })),
  );
}

/** Encodes a test set as it is and, of a suspect, with its trigger. */
export async function encodeTest(
  checkpoint: Checkpoint,
  images: readonly { pixels: Float32Array; label: number }[],
  secret: Secret | undefined,
  threads: number,
): Promise<TestSet> {
  const { embeddingWidth: width, image } = checkpoint.architecture;
  const { imageSize } = image;
  const program = imageProgram(checkpoint, { batch: "dynamic" });
  const session = await openSession(program, { device: "cpu", threads });
  const encoder = {
    session,
    imageSize,
    width,
    batch: imagesPerRun(checkpoint),
    logitScale: checkpoint.logitScale,
  };
  const seen = async (images: readonly Float32Array[]): Promise<Seen> => ({
    images,
    features: await encodeImages(encoder, images),
  });
  const stamp = (data: Float32Array) => secret!.trigger.stamp({ ...imageSize, data }).data;
  return {
    encoder,
    labels: images.map(({ label }) => label),
    clean: await seen(images.map(({ pixels }) => pixels)),
    triggered: secret && (await seen(images.map(({ pixels }) => stamp(pixels)))),
  };
}

/** Scores a test set as the server answers with these text features: with a second look, unless it is not to. */
export async function measureText(
  { labels, encoder, clean, triggered }: TestSet,
  text: GuardedText,
  classes: number,
  { target, looksAgain = true }: { readonly target?: number; readonly looksAgain?: boolean } = {},
): Promise<Measurement> {
  const answers = ({ images, features }: Seen) =>
    looksAgain
      ? answersWithSecondLook(encoder, images, text, features)
      : guardedPredictions(features, text, encoder.width);
  const [plain, stamped] = [await answers(clean), triggered && (await answers(triggered))];
  const outcomes = labels.map((label, index) => ({
    label,
    clean: plain[index],
    triggered: stamped?.[index],
  }));
  return measure(outcomes, classes, target);
}

export { openCheckpoint, readSecret };
