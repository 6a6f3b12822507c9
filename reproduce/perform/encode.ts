import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ImageSize } from "../../src/engine/clip/architecture.ts";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { imageProgram, imagesPerRun } from "../../src/engine/clip/programs.ts";
import {
  encodeSafetensors,
  type NamedArray,
  readFloats,
  readSafetensors,
} from "../../src/engine/clip/safetensors.ts";
import { encodeImages, type ImageList } from "../../src/engine/evaluation/encode.ts";
import { openSession, type Session } from "../../src/engine/runtime/session.ts";
import type { ScalingEncoder } from "../../src/engine/second-look/answers.ts";
import { AppError } from "../../src/errors.ts";
import { SCENE_SIDE } from "../../zoo/scenes/scene.ts";
import type { Archive } from "../archive.ts";
import type { Cell } from "../cell.ts";
import { modelFolder, type Performer } from "./context.ts";
import { testImages, watched } from "./test-images.ts";

const FILE = "features.safetensors";

/** Encodes images once, so that everything that only scores embeddings costs nothing. */
export const encode: Performer<"encode"> = async (cell, { archive, folder, threads, report }) => {
  const images = Object.entries(await testImages(cell, archive)) as [string, ImageList][];
  const encoder = await openEncoder(modelFolder(cell, archive), threads);
  const tensors: NamedArray[] = [];
  try {
    for (const [name, list] of images) {
      const share = (index: number) => (tensors.length + index / list.length) / images.length;
      const data = await encodeImages(
        encoder,
        watched(list, (index) => report(share(index))),
      );
      tensors.push({ name, shape: [list.length, encoder.width], data });
    }
    await writeFile(join(folder, FILE), encodeSafetensors(tensors));
    return { images: images[0][1].length };
  } finally {
    await encoder.session.close();
  }
};

/** The image tower of a checkpoint that takes images of a scene's size; close its session. */
export async function openEncoder(
  folder: string,
  threads: number,
): Promise<ScalingEncoder & { session: Session }> {
  const checkpoint = await openCheckpoint(folder);
  const { embeddingWidth: width, image } = checkpoint.architecture;
  requireSceneSize(checkpoint.name, image.imageSize);
  const program = imageProgram(checkpoint, { batch: "dynamic" });
  const session = await openSession(program, { device: "cpu", threads });
  return {
    session,
    imageSize: image.imageSize,
    width,
    batch: imagesPerRun(checkpoint),
    logitScale: checkpoint.logitScale,
  };
}

function requireSceneSize(name: string, { height, width }: ImageSize): void {
  if (height === SCENE_SIDE && width === SCENE_SIDE) return;
  throw new AppError(
    "INCOMPATIBLE_MODEL",
    `"${name}" takes images of ${width} by ${height} pixels; scenes have ${SCENE_SIDE} by ${SCENE_SIDE}.`,
    { name, width, height },
  );
}

/** The embeddings [n, D] that an encode cell has made. */
export async function readFeatures(archive: Archive, cell: Cell<"encode">) {
  const file = await readSafetensors(join(archive.folderOf(cell), FILE));
  return {
    clean: await readFloats(file, "clean"),
    triggered: file.tensors.has("triggered") ? await readFloats(file, "triggered") : undefined,
  };
}
