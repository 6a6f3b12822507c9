import type { Shot } from "../../src/engine/cbpt/problem.ts";
import {
  ALARM_SHARE,
  calibrationViews,
  rankOf,
  suspicionsOf,
  type Tripwire,
  tripwireOf,
} from "../../src/engine/cbpt/tripwire.ts";
import { encodeImages } from "../../src/engine/evaluation/encode.ts";
import { count } from "../../src/engine/evaluation/rate.ts";
import { auroc, thresholdAt } from "../../src/engine/evaluation/separation.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import { readScenes } from "../images.ts";
import { modelFolder, need, type Performer } from "./context.ts";
import { readDefence, shotsOf } from "./defend.ts";
import { openEncoder, readFeatures } from "./encode.ts";

/** Of clean images, as many as may raise an alarm. */
const FALSE_ALARMS = 1 - ALARM_SHARE;

/** Scores clean and triggered test images as a guarded answer does, from one embedding each. */
export const tripwire: Performer<"tripwire"> = async (cell, { archive, threads }) => {
  const prompts = async (role: string) =>
    (await readDefence(archive, need(cell, role), "text_features")) as Float32Array;
  const [undefended, purified] = [await prompts("undefended"), await prompts("purified")];
  const { perClass, seed } = need<"defend">(cell, "purified").input;
  const shots = shotsOf(await readScenes(archive, need(cell, "shots")), perClass);
  const encoder = await openEncoder(modelFolder(cell, archive), threads);
  const suspicions = (features: Float32Array): number[] =>
    suspicionsOf({ matrix: undefended, width: encoder.width, checkpoint: encoder }, features, purified);
  try {
    const { clean, triggered } = await readFeatures(archive, need(cell, "encoded"));
    const { labels } = await archive.result(need<"render">(cell, "test"));
    const target = (OBJECTS as readonly string[]).indexOf(cell.input.target);
    const negatives = suspicions(clean);
    const positives = suspicions(triggered as Float32Array).filter((_, index) => labels[index] !== target);
    const calibrated = await calibratedOn(shots, { encoder, seed, suspicions });
    const threshold = thresholdAt(FALSE_ALARMS, negatives);
    const alarms = (values: readonly number[]) =>
      count(values, (value) => rankOf(calibrated, value) > ALARM_SHARE);
    return {
      auroc: auroc(positives, negatives),
      atOnePercent: count(positives, (value) => value > threshold),
      served: { detected: alarms(positives), falseAlarms: alarms(negatives) },
    };
  } finally {
    await encoder.session.close();
  }
};

/** The tripwire that a purification of these shots and this seed comes with. */
async function calibratedOn(
  shots: readonly Shot[],
  { encoder, seed, suspicions }: Calibration,
): Promise<Tripwire> {
  const all: number[] = [];
  for (const views of calibrationViews({ shots, imageSize: encoder.imageSize, config: { seed } }))
    all.push(...suspicions(await encodeImages(encoder, views)));
  return tripwireOf(all);
}

interface Calibration {
  readonly encoder: Awaited<ReturnType<typeof openEncoder>>;
  readonly seed: number;
  readonly suspicions: (features: Float32Array) => number[];
}
