import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { shotOf } from "../../src/engine/cbpt/byte-shot.ts";
import { type GuardedText, undefendedText } from "../../src/engine/cbpt/guard.ts";
import type { Shot } from "../../src/engine/cbpt/problem.ts";
import { readText, TENSORS } from "../../src/engine/cbpt/prompt-tensors.ts";
import { picturedTrigger } from "../../src/engine/cbpt/suspect.ts";
import { type Finding, strongest } from "../../src/engine/cbpt/verdict.ts";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import {
  encodeSafetensors,
  type NamedArray,
  readFloats,
  readSafetensors,
} from "../../src/engine/clip/safetensors.ts";
import { DEFAULT_TEMPLATES, zeroShotMatrix } from "../../src/engine/clip/zero-shot.ts";
import type { DefendedPrompts } from "../../src/engine/defences/defence.ts";
import { type DefenceResult, type DefenceTask, openDefence } from "../../src/engine/defences/index.ts";
import { openSession } from "../../src/engine/runtime/session.ts";
import { writeDurably } from "../../src/store/durable-file.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import { SCENE_SIDE } from "../../zoo/scenes/scene.ts";
import type { Archive } from "../archive.ts";
import type { Cell, CellKinds, ToldFinding } from "../cell.ts";
import { type LabelledScenes, pixelsOf, readScenes } from "../images.ts";
import { blindFolder } from "./blind-folder.ts";
import { MODEL_FOLDER, modelFolder, need, type Performer } from "./context.ts";

const FILE = "defence.safetensors";

/** Runs a defence on a model and the first `perClass` shots of every class, and on nothing else. */
export const defend: Performer<"defend"> = async (cell, { archive, folder, threads, report }) => {
  const { defence, parameters, perClass, seed } = cell.input;
  const blind = await blindFolder(modelFolder(cell, archive), join(folder, "suspect"));
  const task: DefenceTask = {
    checkpoint: await openCheckpoint(blind),
    labels: OBJECTS,
    templates: DEFAULT_TEMPLATES,
    shots: shotsOf(await readScenes(archive, need(cell, "shots")), perClass),
    seed,
    device: "cpu",
    threads,
  };
  const began = performance.now();
  const made = await runDefence(defence, { ...task, parameters }, report);
  const seconds = (performance.now() - began) / 1000;
  await rm(blind, { recursive: true });
  const tensors = made.kind === "prompts" ? promptTensors(made) : await weightTensors(made, folder, threads);
  await writeFile(join(folder, FILE), encodeSafetensors(tensors));
  return { seconds, makes: made.kind, ...(made.kind === "prompts" ? auditOf(made) : {}) };
};

/** The first `perClass` of every class, as a defence is given them. */
export const shotsOf = (scenes: LabelledScenes, perClass: number): Shot[] =>
  firstOfClasses(scenes.labels, perClass).map((index) =>
    shotOf(pixelsOf(scenes, index), scenes.labels[index]),
  );

/** The indices of the first so many images of every class, in their order. */
export function firstOfClasses(labels: readonly number[], perClass: number): number[] {
  const seen = new Map<number, number>();
  return labels.flatMap((label, index) => {
    const count = seen.get(label) ?? 0;
    seen.set(label, count + 1);
    return count < perClass ? [index] : [];
  });
}

async function runDefence(
  name: string,
  task: Parameters<typeof openDefence>[1],
  report: (share: number) => void,
): Promise<DefenceResult> {
  const run = await openDefence(name, task);
  try {
    let state = await run.init();
    while (!run.isDone(state)) {
      state = await run.step(state);
      report(run.progress(state).fraction);
    }
    return await run.result(state);
  } finally {
    await run.close();
  }
}

const promptTensors = ({
  textFeatures,
  recovery,
  suspected,
  suspects = [],
}: DefendedPrompts): NamedArray[] => [
  textTensor(TENSORS.features, textFeatures),
  ...(recovery ? [textTensor(TENSORS.recoveryFeatures, recovery.features)] : []),
  ...(suspected ? [{ name: TENSORS.suspected, shape: [suspected.length], data: suspected }] : []),
  ...suspects.map((suspect) => ({
    name: triggerName(OBJECTS[suspect.label]),
    shape: [3, SCENE_SIDE, SCENE_SIDE],
    data: picturedTrigger(suspect, { height: SCENE_SIDE, width: SCENE_SIDE }),
  })),
];

/** Writes the model, and scores it as an undefended one is scored. */
async function weightTensors(
  { files }: DefenceResult & { kind: "weights" },
  folder: string,
  threads: number,
): Promise<NamedArray[]> {
  const model = join(folder, MODEL_FOLDER);
  for (const { name, bytes } of files) await writeDurably(join(model, name), bytes);
  const open = (program: Parameters<typeof openSession>[0]) =>
    openSession(program, { device: "cpu", threads });
  const matrix = await zeroShotMatrix(open, await openCheckpoint(model), OBJECTS, DEFAULT_TEMPLATES);
  return [textTensor(TENSORS.features, matrix)];
}

const textTensor = (name: string, data: Float32Array): NamedArray => ({
  name,
  shape: [OBJECTS.length, data.length / OBJECTS.length],
  data,
});

/** The name of the tensor that holds the recovered trigger of a class. */
export const triggerName = (label: string): string => `trigger.${label}`;

function auditOf({ findings, suspects = [] }: DefendedPrompts): Pick<CellKinds["defend"]["result"], "audit"> {
  if (findings === undefined) return {};
  const classes = strongest(findings).map(toldOf);
  const named = suspects.map(({ label, family }) => {
    const word = findings.find((one) => one.label === label && one.family === family)?.word;
    return { label: OBJECTS[label], family, ...(word === undefined ? {} : { word }) };
  });
  const grounds = suspects.flatMap(({ label, family }) => {
    const ofFamily = findings.filter((one) => one.family === family);
    const found = ofFamily.find((one) => one.label === label);
    const others = ofFamily.filter((one) => !suspects.some((suspect) => suspect.label === one.label));
    const [next] = others.sort((one, other) => other.pulled.k - one.pulled.k).map(toldOf);
    return found ? [{ found: toldOf(found), next }] : [];
  });
  return { audit: { suspects: named, classes, grounds } };
}

const toldOf = ({ label, family, pulled, attraction }: Finding): ToldFinding => ({
  label: OBJECTS[label],
  family,
  pulled,
  attraction,
});

/**
 * What a defended model answers with. Where the defence has learned to recover or suspects a class, it takes the cell of
 * no defence to say what the undefended model answers.
 */
export async function readAnswering(
  archive: Archive,
  defended: Cell<"defend">,
  undefended: Cell | undefined,
): Promise<GuardedText> {
  const read = async (cell: Cell) => readSafetensors(join(archive.folderOf(cell), FILE));
  const text = await readText(await read(defended));
  if (text.recovery === undefined && text.suspected === undefined) return undefendedText(text.purified);
  if (undefended === undefined)
    throw new Error(`${defended.name} looks again, and nothing says what the undefended model answers.`);
  return { ...text, undefended: await readFloats(await read(undefended), TENSORS.features) };
}

/** A tensor that a defend cell has made, or nothing where it has none of that name. */
export async function readDefence(
  archive: Archive,
  cell: Cell<"defend">,
  name: string,
): Promise<Float32Array | undefined> {
  const file = await readSafetensors(join(archive.folderOf(cell), FILE));
  return file.tensors.has(name) ? readFloats(file, name) : undefined;
}
