import { nearestClass, row } from "../../src/engine/cbpt/features.ts";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { encodeImages } from "../../src/engine/evaluation/encode.ts";
import { gradCamProgram } from "../../src/engine/evaluation/grad-cam.ts";
import { float32 } from "../../src/engine/onnx/tensor.ts";
import { openSession } from "../../src/engine/runtime/session.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import { SCENE_SIDE } from "../../zoo/scenes/scene.ts";
import type { Heat } from "../cell.ts";
import { readScenes, sceneAt } from "../images.ts";
import { openTrigger } from "./attacker.ts";
import { modelFolder, need, type Performer } from "./context.ts";
import { readDefence } from "./defend.ts";
import { openEncoder } from "./encode.ts";

/** Explains the answers of one defended model for some images, without and with the trigger. */
export const explain: Performer<"explain"> = async (cell, { archive, threads }) => {
  const { trigger, stage, images } = cell.input;
  const scenes = await readScenes(archive, need(cell, "images"));
  const { stamp } = await openTrigger(cell, trigger, archive);
  const shown = images.flatMap((image) => {
    const scene = sceneAt(scenes, image);
    return [
      { image, triggered: false, pixels: scene.data },
      { image, triggered: true, pixels: stamp(scene).data },
    ];
  });
  const text = (await readDefence(archive, need(cell, "defended"), "text_features")) as Float32Array;
  const folder = modelFolder(cell, archive);
  const answers = await answersOf(
    folder,
    shown.map(({ pixels }) => pixels),
    text,
    threads,
  );
  const program = gradCamProgram(await openCheckpoint(folder), { batch: 1, stage });
  const session = await openSession(program, { device: "cpu", threads });
  const width = text.length / OBJECTS.length;
  const heats: Heat[] = [];
  let side = 0;
  try {
    for (const [index, { image, triggered, pixels }] of shown.entries()) {
      const { heat } = await session.run({
        pixels: float32([1, 3, SCENE_SIDE, SCENE_SIDE], pixels),
        text: float32([1, width], row(text, width, answers[index]).slice()),
      });
      side = heat.shape[2];
      const values = Array.from(heat.data as Float32Array, (value) => Math.round(1e6 * value) / 1e6);
      heats.push({ image, triggered, answer: OBJECTS[answers[index]], values });
    }
    return { side, heats };
  } finally {
    await session.close();
  }
};

async function answersOf(
  folder: string,
  images: readonly Float32Array[],
  text: Float32Array,
  threads: number,
): Promise<number[]> {
  const encoder = await openEncoder(folder, threads);
  try {
    const features = await encodeImages(encoder, images);
    return images.map((_, index) => nearestClass(row(features, encoder.width, index), text));
  } finally {
    await encoder.session.close();
  }
}
