import { attackNamed } from "../../src/engine/attacks/index.ts";
import { parametersOf } from "../../src/engine/attacks/trigger.ts";
import { undefendedText } from "../../src/engine/cbpt/guard.ts";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { DEFAULT_TEMPLATES, zeroShotMatrix } from "../../src/engine/clip/zero-shot.ts";
import { measure as count, requireUnseen } from "../../src/engine/evaluation/protocol.ts";
import { openSession } from "../../src/engine/runtime/session.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import type { Trigger } from "../cell.ts";
import { modelFolder, need, type Performer } from "./context.ts";
import { firstOfClasses, readAnswering } from "./defend.ts";
import { readAnswers } from "./encode.ts";

/** Counts what a defended model answers, by the protocol. Fails where a shot is among the test images. */
export const measure: Performer<"measure"> = async (cell, { archive, threads }) => {
  const { target, perClass, worded } = cell.input;
  const [encoded, defended] = [need<"encode">(cell, "encoded"), need<"defend">(cell, "defended")];
  const shots = await archive.result(need<"render">(cell, "shots"));
  const test = await archive.result(need<"render">(cell, "test"));
  const used = firstOfClasses(shots.labels, perClass).map((index) => shots.digests[index]);
  requireUnseen(used, test.digests);
  const text = await readAnswering(archive, defended, cell.needs.undefended);
  const answers = await readAnswers(archive, encoded, "clean", text);
  const attackedText = worded
    ? undefendedText(await wordedMatrix(modelFolder(cell, archive), worded, threads))
    : text;
  const attacked = encoded.input.trigger && (await readAnswers(archive, encoded, "triggered", attackedText));
  const outcomes = test.labels.map((label, index) => ({
    label,
    clean: answers[index],
    ...(attacked ? { triggered: attacked[index] } : {}),
  }));
  return count(outcomes, OBJECTS.length, target === undefined ? undefined : indexOf(target));
};

const indexOf = (target: string): number => (OBJECTS as readonly string[]).indexOf(target);

/** The undefended text features when the attacker's word stands before every template. */
async function wordedMatrix(
  folder: string,
  { kind, ...parameters }: Trigger,
  threads: number,
): Promise<Float32Array> {
  const { caption = (text: string) => text } = attackNamed(kind);
  const complete = parametersOf(kind, parameters);
  return zeroShotMatrix(
    (program) => openSession(program, { device: "cpu", threads }),
    await openCheckpoint(folder),
    OBJECTS,
    DEFAULT_TEMPLATES.map((template) => caption(template, complete)),
  );
}
