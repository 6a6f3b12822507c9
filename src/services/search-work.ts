import { universalProgram } from "../engine/cbpt/objective.ts";
import { IMAGES_PER_RUN } from "../engine/cbpt/search.ts";
import { TRIGGERS_PER_RUN } from "../engine/cbpt/universal.ts";
import { openCheckpoint } from "../engine/clip/checkpoint.ts";
import { costOf } from "../engine/onnx/cost.ts";
import type { Work } from "../engine/runtime/device-speed.ts";

/** More or fewer classes change next to nothing. */
const CLASSES = 20;

/** What most runs of a search are, in an audit and in a purification alike: the gradient of some triggers on some shots. */
export async function searchWork(folder: string): Promise<Work> {
  const checkpoint = await openCheckpoint(folder);
  const size = { triggers: TRIGGERS_PER_RUN, images: IMAGES_PER_RUN, classes: CLASSES };
  return costOf(universalProgram(checkpoint, size).graph);
}
