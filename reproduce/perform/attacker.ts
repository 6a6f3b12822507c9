/** What the cells that attack have in common: the scenes to poison, the target, and the trigger. */
import { join } from "node:path";
import { TRIGGER_FILE } from "../../src/engine/attacks/fitted.ts";
import { openTrigger as open, type Trigger } from "../../src/engine/attacks/trigger.ts";
import type { PairSource } from "../../src/engine/training/pairs.ts";
import type { Target } from "../../src/engine/training/poison.ts";
import { CAPTION_TEMPLATES } from "../../zoo/scenes/captions.ts";
import { readDataset, renderDataset, type SceneDataset } from "../../zoo/scenes/dataset.ts";
import { pairSource } from "../../zoo/scenes/training-run.ts";
import type { Archive } from "../archive.ts";
import type { Cell, Secret } from "../cell.ts";
import type { Context } from "./context.ts";

/** The zoo's training scenes. */
const TRAINING_SEED = 1;

/** Scenes to train on, and what is known of an attacker's class among them. */
export async function trainingData(
  count: number,
  context: Context,
): Promise<{ source: PairSource; targetOf: (secret: Secret) => Target }> {
  const scenes = await scenesOf({ count, seed: TRAINING_SEED }, context);
  const placesOf = (name: string) =>
    scenes.objects.flatMap((object, place) => (object === name ? [place] : []));
  const targetOf = ({ target: name }: Secret): Target => ({
    name,
    places: placesOf(name),
    templates: CAPTION_TEMPLATES,
  });
  return { source: pairSource(scenes), targetOf };
}

/** Rendered once, and shared with the zoo's commands. */
export async function scenesOf(
  choice: { readonly count: number; readonly seed: number },
  { scenes, threads }: Context,
): Promise<SceneDataset> {
  const folder = join(scenes, `${choice.count}-${choice.seed}`);
  await renderDataset(folder, { ...choice, captions: 4 }, threads);
  return readDataset(folder);
}

/** The trigger of a cell, fitted by the cell that it needs or lying beside the suspect. */
export function openTrigger(
  cell: Cell,
  { kind, ...parameters }: Secret["trigger"],
  archive: Archive,
): Promise<Trigger> {
  const folder = cell.needs.fit ? archive.folderOf(cell.needs.fit) : cell.folder;
  return open({ kind, parameters, fitted: folder && join(folder, TRIGGER_FILE) });
}
