import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PlanarImage } from "../../src/engine/attacks/index.ts";
import { type GuardedText, guardedPredictions } from "../../src/engine/cbpt/guard.ts";
import type { ImageSize } from "../../src/engine/clip/architecture.ts";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { imageProgram, imagesPerRun } from "../../src/engine/clip/programs.ts";
import {
  encodeSafetensors,
  type NamedArray,
  readFloats,
  readSafetensors,
} from "../../src/engine/clip/safetensors.ts";
import { type Encoder, encodeImages, listOf } from "../../src/engine/evaluation/encode.ts";
import { SHIFTS, type ShiftName } from "../../src/engine/evaluation/shifts.ts";
import { randomStream } from "../../src/engine/random.ts";
import { openSession, type Session } from "../../src/engine/runtime/session.ts";
import { answersAmongViews } from "../../src/engine/second-look/answers.ts";
import { seenAs, VIEW_NAMES, type ViewName } from "../../src/engine/second-look/views.ts";
import { AppError } from "../../src/errors.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import { SCENE_SIDE } from "../../zoo/scenes/scene.ts";
import type { Archive } from "../archive.ts";
import type { Cell } from "../cell.ts";
import { readScenes, sceneAt } from "../images.ts";
import { openTrigger } from "./attacker.ts";
import { modelFolder, need, type Performer } from "./context.ts";

const FILE = "features.safetensors";

/** Encodes images once, so that everything that only scores embeddings costs nothing. */
export const encode: Performer<"encode"> = async (cell, { archive, folder, threads, report }) => {
  const { trigger, shift, views } = cell.input;
  const scenes = await readScenes(archive, need(cell, "images"));
  const count = scenes.labels.length;
  const looks = [undefined, ...(views ? VIEW_NAMES : [])];
  const rounds = looks.length * (trigger === undefined ? 1 : 2);
  const encoder = await openEncoder(modelFolder(cell, archive), threads);
  const tensors: NamedArray[] = [];
  const add = async (kind: Kind, change: (image: PlanarImage) => PlanarImage): Promise<void> => {
    for (const view of looks) {
      const images = listOf(count, (index) => {
        report((tensors.length + index / count) / rounds);
        const { data } = change(shifted(sceneAt(scenes, index), shift, index));
        return view ? seenAs(view, data, encoder.imageSize) : data;
      });
      const data = await encodeImages(encoder, images);
      tensors.push({ name: tensorName(kind, view), shape: [count, encoder.width], data });
    }
  };
  try {
    await add("clean", (image) => image);
    if (trigger !== undefined) await add("triggered", (await openTrigger(cell, trigger, archive)).stamp);
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

/** Which of its images a tensor of an encode cell is of, and how they are seen. */
type Kind = "clean" | "triggered";
const tensorName = (kind: Kind, view?: ViewName): string => (view ? `${kind} ${view}` : kind);

/** The embeddings [n, D] that an encode cell has made. */
export async function readFeatures(archive: Archive, cell: Cell<"encode">) {
  const file = await readSafetensors(join(archive.folderOf(cell), FILE));
  return {
    clean: await readFloats(file, "clean"),
    triggered: file.tensors.has("triggered") ? await readFloats(file, "triggered") : undefined,
  };
}

/** The embeddings of each view, where the cell has made them. */
export async function readViews(
  archive: Archive,
  cell: Cell<"encode">,
  kind: Kind,
): Promise<Record<ViewName, Float32Array> | undefined> {
  if (!cell.input.views) return undefined;
  const file = await readSafetensors(join(archive.folderOf(cell), FILE));
  const views = VIEW_NAMES.map(async (name) => [name, await readFloats(file, tensorName(kind, name))]);
  return Object.fromEntries(await Promise.all(views));
}

/** The class that each of an encode cell's images is given, with a second look where it has encoded the views. */
export async function readAnswers(
  archive: Archive,
  cell: Cell<"encode">,
  kind: Kind,
  text: GuardedText,
): Promise<number[]> {
  const { [kind]: features } = await readFeatures(archive, cell);
  const views = await readViews(archive, cell, kind);
  const width = text.purified.length / OBJECTS.length;
  if (features === undefined) throw new Error(`${cell.name} has no ${kind} images.`);
  return views ? answersAmongViews(features, views, width, text) : guardedPredictions(features, text, width);
}
