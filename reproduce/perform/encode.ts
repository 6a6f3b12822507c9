import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { imageProgram, imagesPerRun } from "../../src/engine/clip/programs.ts";
import { encodeSafetensors, readFloats, readSafetensors } from "../../src/engine/clip/safetensors.ts";
import { encodeImages, listOf } from "../../src/engine/evaluation/encode.ts";
import { openSession } from "../../src/engine/runtime/session.ts";
import { SCENE_SIDE } from "../../zoo/scenes/scene.ts";
import type { Archive } from "../archive.ts";
import type { Cell } from "../cell.ts";
import { pixelsOf, readScenes } from "../images.ts";
import { openTrigger } from "./attacker.ts";
import { modelFolder, need, type Performer } from "./context.ts";

const FILE = "features.safetensors";

/** Encodes images once, so that everything that only scores embeddings costs nothing. */
export const encode: Performer<"encode"> = async (cell, { archive, folder, threads, report }) => {
  const checkpoint = await openCheckpoint(modelFolder(cell, archive));
  const { embeddingWidth: width, image } = checkpoint.architecture;
  const scenes = await readScenes(archive, need(cell, "images"));
  const count = scenes.labels.length;
  const session = await openSession(imageProgram(checkpoint, { batch: "dynamic" }), {
    device: "cpu",
    threads,
  });
  const encoder = { session, imageSize: image.imageSize, width, batch: imagesPerRun(checkpoint) };
  const { trigger } = cell.input;
  const rounds = trigger === undefined ? 1 : 2;
  const round = (number: number, change: (pixels: Float32Array) => Float32Array) =>
    encodeImages(
      encoder,
      listOf(count, (index) => {
        report((number + index / count) / rounds);
        return change(pixelsOf(scenes, index));
      }),
    );
  try {
    const tensors = [{ name: "clean", shape: [count, width], data: await round(0, (pixels) => pixels) }];
    if (trigger !== undefined) {
      const { stamp } = await openTrigger(cell, trigger, archive);
      const data = await round(
        1,
        (pixels) => stamp({ width: SCENE_SIDE, height: SCENE_SIDE, data: pixels }).data,
      );
      tensors.push({ name: "triggered", shape: [count, width], data });
    }
    await writeFile(join(folder, FILE), encodeSafetensors(tensors));
    return { images: count };
  } finally {
    await session.close();
  }
};

/** The embeddings [n, D] that an encode cell has made. */
export async function readFeatures(archive: Archive, cell: Cell<"encode">) {
  const file = await readSafetensors(join(archive.folderOf(cell), FILE));
  return {
    clean: await readFloats(file, "clean"),
    triggered: file.tensors.has("triggered") ? await readFloats(file, "triggered") : undefined,
  };
}
