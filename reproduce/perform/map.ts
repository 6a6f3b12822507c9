import { gatherRows } from "../../src/engine/cbpt/features.ts";
import { stamp } from "../../src/engine/cbpt/trigger.ts";
import { encodeImages, listOf } from "../../src/engine/evaluation/encode.ts";
import { tsne } from "../../src/engine/evaluation/tsne.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import type { MapPoint } from "../cell.ts";
import { pixelsOf, readScenes } from "../images.ts";
import { modelFolder, need, type Performer } from "./context.ts";
import { readDefence, triggerName } from "./defend.ts";
import { openEncoder, readFeatures } from "./encode.ts";

/** A t-SNE map of clean images, of triggered ones, and of ones with the trigger that the defence recovered. */
export const map: Performer<"map"> = async (cell, { archive, threads }) => {
  const { target, clean, attacked } = cell.input;
  const scenes = await readScenes(archive, need(cell, "images"));
  const features = await readFeatures(archive, need(cell, "encoded"));
  const recovered = await readDefence(archive, need(cell, "purified"), triggerName(target));
  if (features.triggered === undefined) throw new Error("The images were encoded without a trigger.");
  const label = (OBJECTS as readonly string[]).indexOf(target);
  const first = Array.from({ length: Math.min(clean, scenes.labels.length) }, (_, index) => index);
  const others = first.filter((index) => scenes.labels[index] !== label).slice(0, attacked);
  const encoder = await openEncoder(modelFolder(cell, archive), threads);
  try {
    const { width } = encoder;
    const inverted =
      recovered &&
      (await encodeImages(
        encoder,
        listOf(others.length, (index) => stamp(pixelsOf(scenes, others[index]), recovered)),
      ));
    const rows = [
      gatherRows(features.clean, width, first),
      gatherRows(features.triggered, width, others),
      inverted ?? new Float32Array(),
    ];
    const kinds: MapPoint["kind"][] = [
      ...first.map((index) => (scenes.labels[index] === label ? ("target" as const) : ("clean" as const))),
      ...others.map(() => "triggered" as const),
      ...(inverted ? others.map(() => "inverted" as const) : []),
    ];
    const places = tsne(concatenated(rows), width);
    const round = (value: number) => Math.round(1000 * value) / 1000;
    return {
      points: kinds.map((kind, index) => ({
        x: round(places[2 * index]),
        y: round(places[2 * index + 1]),
        kind,
      })),
    };
  } finally {
    await encoder.session.close();
  }
};

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  for (const part of parts) {
    whole.set(part, start);
    start += part.length;
  }
  return whole;
}
