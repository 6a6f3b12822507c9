import { attackNamed } from "../../src/engine/attacks/index.ts";
import { parametersOf } from "../../src/engine/attacks/trigger.ts";
import { predictions } from "../../src/engine/cbpt/features.ts";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { DEFAULT_TEMPLATES, zeroShotMatrix } from "../../src/engine/clip/zero-shot.ts";
import { measure as measureAll, requireUnseen } from "../../src/engine/evaluation/protocol.ts";
import { count } from "../../src/engine/evaluation/rate.ts";
import { openSession } from "../../src/engine/runtime/session.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import type { Cell, CellKinds, Trigger } from "../cell.ts";
import { type Context, modelFolder, need, type Performer } from "./context.ts";
import { firstOfClasses, readAnswering } from "./defend.ts";
import { readFeatures } from "./encode.ts";

/** Counts what a defended model answers, by the protocol. Fails where a shot is among the test images. */
export const measure: Performer<"measure"> = async (cell, context) => {
  const { archive } = context;
  const { target, otherTargets, perClass } = cell.input;
  const shots = await archive.result(need<"render">(cell, "shots"));
  const test = await archive.result(need<"render">(cell, "test"));
  const used = firstOfClasses(shots.labels, perClass).map((index) => shots.digests[index]);
  requireUnseen(used, test.digests);
  const { clean, triggered } =
    cell.needs.looked === undefined
      ? await answersAtOneLook(cell, context)
      : await archive.result(need<"look">(cell, "looked"));
  const outcomes = test.labels.map((label, index) => ({
    label,
    clean: clean[index],
    ...(triggered ? { triggered: triggered[index] } : {}),
  }));
  const measurement = measureAll(
    outcomes,
    OBJECTS.length,
    target === undefined ? undefined : indexOf(target),
  );
  if (target === undefined || otherTargets === undefined) return measurement;
  const others = otherTargets.map(indexOf);
  const shown = outcomes.filter(({ label }) => label !== indexOf(target) && !others.includes(label));
  return { ...measurement, diverted: count(shown, ({ triggered = -1 }) => others.includes(triggered)) };
};

/** Of a model without tuned prompts. */
async function answersAtOneLook(cell: Cell<"measure">, { archive, threads }: Context): Promise<Answers> {
  const { worded } = cell.input;
  const { purified: text } = await readAnswering(archive, need(cell, "defended"), undefined);
  const { clean, triggered } = await readFeatures(archive, need(cell, "encoded"));
  const attackedText = worded ? await wordedMatrix(modelFolder(cell, archive), worded, threads) : text;
  const width = text.length / OBJECTS.length;
  return {
    clean: predictions(clean, text, width),
    ...(triggered ? { triggered: predictions(triggered, attackedText, width) } : {}),
  };
}

/** The class that each test image is given. */
type Answers = CellKinds["look"]["result"];

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
