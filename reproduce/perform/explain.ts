import { nearestClass, row } from "../../src/engine/cbpt/features.ts";
import { answeringText, type GuardedText } from "../../src/engine/cbpt/guard.ts";
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
import { readAnswering } from "./defend.ts";
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
  const answering = await readAnswering(archive, need(cell, "defended"), cell.needs.undefended);
  const folder = modelFolder(cell, archive);
  const answers = await answersOf(
    folder,
    shown.map(({ pixels }) => pixels),
    answering,
    threads,
  );
  const program = gradCamProgram(await openCheckpoint(folder), { batch: 1, stage });
  const session = await openSession(program, { device: "cpu", threads });
  const heats: Heat[] = [];
  let side = 0;
  try {
    for (const [index, { image, triggered, pixels }] of shown.entries()) {
      const { heat } = await session.run({
        pixels: float32([1, 3, SCENE_SIDE, SCENE_SIDE], pixels),
        text: float32([1, answers[index].feature.length], answers[index].feature.slice()),
      });
      side = heat.shape[2];
      const values = Array.from(heat.data as Float32Array, (value) => Math.round(1e6 * value) / 1e6);
      heats.push({ image, triggered, answer: OBJECTS[answers[index].label], values });
    }
    return { side, heats };
  } finally {
    await session.close();
  }
};

/** The label that each image is given, and the text feature [D] that has won it. */
async function answersOf(
  folder: string,
  images: readonly Float32Array[],
  text: GuardedText,
  threads: number,
): Promise<{ readonly label: number; readonly feature: Float32Array }[]> {
  const encoder = await openEncoder(folder, threads);
  try {
    const { width } = encoder;
    const features = await encodeImages(encoder, images);
    return images.map((_, index) => {
      const image = row(features, width, index);
      const answers = answeringText(image, text);
      const label = nearestClass(image, answers);
      return { label, feature: row(answers, width, label) };
    });
  } finally {
    await encoder.session.close();
  }
}
