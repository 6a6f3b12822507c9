import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PlanarImage } from "../../src/engine/attacks/index.ts";
import type { ImageSize } from "../../src/engine/clip/architecture.ts";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { imageProgram, imagesPerRun } from "../../src/engine/clip/programs.ts";
import { encodeSafetensors, readFloats, readSafetensors } from "../../src/engine/clip/safetensors.ts";
import { type Encoder, encodeImages, listOf } from "../../src/engine/evaluation/encode.ts";
import { SHIFTS, type ShiftName } from "../../src/engine/evaluation/shifts.ts";
import { randomStream } from "../../src/engine/random.ts";
import { openSession, type Session } from "../../src/engine/runtime/session.ts";
import { AppError } from "../../src/errors.ts";
import { SCENE_SIDE } from "../../zoo/scenes/scene.ts";
import type { Archive } from "../archive.ts";
import type { Cell } from "../cell.ts";
import { readScenes, sceneAt } from "../images.ts";
import { openTrigger } from "./attacker.ts";
import { modelFolder, need, type Performer } from "./context.ts";

const FILE = "features.safetensors";

/** Encodes images once, so that everything that only scores embeddings costs nothing. */
export const encode: Performer<"encode"> = async (cell, { archive, folder, threads, report }) => {
  const { trigger, shift } = cell.input;
  const scenes = await readScenes(archive, need(cell, "images"));
  const count = scenes.labels.length;
  const rounds = trigger === undefined ? 1 : 2;
  const encoder = await openEncoder(modelFolder(cell, archive), threads);
  const width = encoder.width;
  const round = (number: number, change: (image: PlanarImage) => PlanarImage) =>
    encodeImages(
      encoder,
      listOf(count, (index) => {
        report((number + index / count) / rounds);
        return change(shifted(sceneAt(scenes, index), shift, index)).data;
      }),
    );
  try {
    const tensors = [{ name: "clean", shape: [count, width], data: await round(0, (image) => image) }];
    if (trigger !== undefined) {
      const { stamp } = await openTrigger(cell, trigger, archive);
      tensors.push({ name: "triggered", shape: [count, width], data: await round(1, stamp) });
    }
    await writeFile(join(folder, FILE), encodeSafetensors(tensors));
    return { images: count };
  } finally {
    await encoder.session.close();
  }
};

/** The image tower of a checkpoint that takes images of a scene's size; close its session. */
export async function openEncoder(folder: string, threads: number): Promise<Encoder & { session: Session }> {
  const checkpoint = await openCheckpoint(folder);
  const { embeddingWidth: width, image } = checkpoint.architecture;
  requireSceneSize(checkpoint.name, image.imageSize);
  const program = imageProgram(checkpoint, { batch: "dynamic" });
  const session = await openSession(program, { device: "cpu", threads });
  return { session, imageSize: image.imageSize, width, batch: imagesPerRun(checkpoint) };
}

function requireSceneSize(name: string, { height, width }: ImageSize): void {
  if (height === SCENE_SIDE && width === SCENE_SIDE) return;
  throw new AppError(
    "INCOMPATIBLE_MODEL",
    `"${name}" takes images of ${width} by ${height} pixels; scenes have ${SCENE_SIDE} by ${SCENE_SIDE}.`,
    { name, width, height },
  );
}

/** Each image has randomness of its own. */
const shifted = (image: PlanarImage, shift: ShiftName | undefined, index: number): PlanarImage =>
  shift === undefined ? image : SHIFTS[shift](image, randomStream(1, "shift", shift, index));

/** The embeddings [n, D] that an encode cell has made. */
export async function readFeatures(archive: Archive, cell: Cell<"encode">) {
  const file = await readSafetensors(join(archive.folderOf(cell), FILE));
  return {
    clean: await readFloats(file, "clean"),
    triggered: file.tensors.has("triggered") ? await readFloats(file, "triggered") : undefined,
  };
}
