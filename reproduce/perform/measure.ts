import { predictions } from "../../src/engine/cbpt/features.ts";
import { measure as count, requireUnseen } from "../../src/engine/evaluation/protocol.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import { need, type Performer } from "./context.ts";
import { firstOfClasses, readDefence } from "./defend.ts";
import { readFeatures } from "./encode.ts";

/** Counts what a defended model answers, by the protocol. Fails where a shot is among the test images. */
export const measure: Performer<"measure"> = async (cell, { archive }) => {
  const { target, perClass } = cell.input;
  const [encoded, defended] = [need<"encode">(cell, "encoded"), need<"defend">(cell, "defended")];
  const shots = await archive.result(need<"render">(cell, "shots"));
  const test = await archive.result(need<"render">(cell, "test"));
  const used = firstOfClasses(shots.labels, perClass).map((index) => shots.digests[index]);
  requireUnseen(used, test.digests);
  const text = (await readDefence(archive, defended, "text_features")) as Float32Array;
  const { clean, triggered } = await readFeatures(archive, encoded);
  const width = text.length / OBJECTS.length;
  const answers = predictions(clean, text, width);
  const attacked = triggered && predictions(triggered, text, width);
  const outcomes = test.labels.map((label, index) => ({
    label,
    clean: answers[index],
    ...(attacked ? { triggered: attacked[index] } : {}),
  }));
  return count(outcomes, OBJECTS.length, target === undefined ? undefined : indexOf(target));
};

const indexOf = (target: string): number => (OBJECTS as readonly string[]).indexOf(target);
