import { imageProgram, textProgram } from "../clip/programs.ts";
import { flopsOf } from "../onnx/cost.ts";
import { FALLBACK_FAMILIES, MOST_TRIGGERS, REFINED_FAMILIES, radiiOf } from "./audit.ts";
import { contestSize } from "./contest.ts";
import { FAMILIES } from "./families/index.ts";
import { COUNTED } from "./finding.ts";
import { contendersIn } from "./further.ts";
import { gratingsSize } from "./gratings.ts";
import {
  perImageProgram,
  promptGradientProgram,
  pullWithTextProgram,
  tuningHeadProgram,
  tuningProgram,
  universalProgram,
} from "./objective.ts";
import { imageValues, type Problem } from "./problem.ts";
import { classesPerRun } from "./prompt-tower.ts";
import { IMAGES_PER_RUN, RUNS_PER_STEP } from "./search.ts";
import { rowsPerBatch, stepsPerEpoch } from "./tuning.ts";
import { TRIGGERS_PER_RUN } from "./universal.ts";
import { CLEAN_ROWS } from "./word-search.ts";

/** What the size of a run follows from; nothing of it has to be computed by a network. */
export interface RunSize
  extends Pick<
    Problem,
    | "checkpoint"
    | "config"
    | "labels"
    | "targets"
    | "imageSize"
    | "width"
    | "layout"
    | "wordLayout"
    | "device"
  > {
  readonly shots: { readonly length: number };
  /** The undefended classifier's prompts: how many, and the tokens of the longest. */
  readonly prompts: { readonly count: number; readonly length: number };
}

/** Kinds of work that run at speeds of their own: images forward, images with a gradient, prompts. */
export const WORK_KINDS = ["image", "gradient", "text"] as const;
export type WorkKind = (typeof WORK_KINDS)[number];

export interface PlannedPhase {
  /** As `Progress` calls it; `prepare` and `encode` come before the search and before tuning. */
  readonly name: string;
  readonly steps: number;
  /** How often an image passes the image encoder. */
  readonly images: number;
  /** Floating-point operations of each kind of work. */
  readonly flops: Readonly<Record<WorkKind, number>>;
  /** Epochs that end in it and are told of. */
  readonly epochs: number;
}

export interface RunPlan {
  readonly phases: readonly PlannedPhase[];
  /** What was taken for granted, because it shows only in the run. */
  readonly assumptions: readonly string[];
  readonly bytes: PlannedBytes;
}

export interface PlannedBytes {
  /** The shots' pixels in memory, one byte for each value. */
  readonly shots: number;
  /** The state of the search in memory, with the copy that the next step makes and the one that is saved. */
  readonly state: number;
  /** The largest saved state on disk. */
  readonly saved: number;
  /** The learned context vectors and text features, with those of recovery prompts. */
  readonly artifact: number;
}

/** What an audit will do, before it is begun. */
export function planAudit(size: RunSize): RunPlan {
  return { phases: auditPhases(size), assumptions: auditAssumptions(size), bytes: bytesOf(size, true) };
}

/**
 * What a purification will do, before it is begun.
 *
 * @param told of so many epochs the run tells how their prompts do.
 */
export function planPurification(size: RunSize, told = size.config.epochs): RunPlan {
  if (size.config.mode === "PUBLISHED")
    return { phases: publishedPhases(size, told), assumptions: [], bytes: bytesOf(size, false) };
  return {
    phases: [...auditPhases(size), ...tuningPhases(size, told)],
    assumptions: auditAssumptions(size),
    bytes: bytesOf(size, true),
  };
}

export const phase = (
  name: string,
  steps: number,
  images: number,
  flops: Partial<Record<WorkKind, number>>,
  epochs = 0,
): PlannedPhase => ({ name, steps, images, flops: { image: 0, gradient: 0, text: 0, ...flops }, epochs });

function preparing(size: RunSize): PlannedPhase {
  const { shots, prompts } = size;
  return phase("prepare", 1, shots.length, {
    image: shots.length * imageFlops(size),
    text: prompts.count * textFlops(size, prompts.length),
  });
}

function auditPhases(size: RunSize): PlannedPhase[] {
  const { config, labels, targets, shots } = size;
  const { innerSteps, innerBatch } = config;
  const rounds = radiiOf(size).length;
  const [forward, both] = [imageFlops(size), universalFlops(size)];
  // The last run of a step is as large as the others.
  const perRun = Math.min(TRIGGERS_PER_RUN, targets.length);
  const contenders = Array.from({ length: rounds }, (_, round) => contendersIn(round, size));
  const triggers = sum(contenders.map((count) => Math.ceil(count / perRun) * perRun));
  const inverted = innerSteps * triggers * innerBatch;
  const others = shots.length - Math.floor(shots.length / labels.length);
  const counts = sum(contenders);
  const counted = counts * Math.min(COUNTED, others);
  const gratings = gratingsSize(size);
  const perStep = IMAGES_PER_RUN * RUNS_PER_STEP;
  const contest = contestSize(size, targets.length);
  const searches = FALLBACK_FAMILIES.length * contest.steps;
  const searched = searches * perStep;
  const looked = FALLBACK_FAMILIES.length * contest.counts * Math.min(COUNTED, others);
  const refined = REFINED_FAMILIES.length * innerSteps * perStep;
  // They are held against the trigger that gave the class away.
  const checked = (1 + REFINED_FAMILIES.length) * Math.min(COUNTED, others);
  return [
    preparing(size),
    phase("invert", rounds * innerSteps, inverted, { gradient: inverted * both }),
    phase("count", counts, counted, { image: counted * forward }),
    phase("gratings", gratings.steps, gratings.images, { image: gratings.images * forward }),
    phase("fallback", searches, searched + looked, {
      gradient: searched * both,
      image: looked * forward,
    }),
    ...wordPhase(size, contest.counts * Math.min(COUNTED, others)),
    phase("refine", innerSteps, refined + checked, {
      gradient: refined * both,
      image: checked * forward,
    }),
  ];
}

/** @param looked images on which the triggers are counted. */
function wordPhase(size: RunSize, looked: number): PlannedPhase[] {
  const { wordLayout: layout } = size;
  if (!layout) return [];
  const phrases = { ...size, layout };
  const { steps, counts } = contestSize(size, size.targets.length);
  const images = steps * IMAGES_PER_RUN * RUNS_PER_STEP;
  const texts = steps * (featuresFlops(phrases) + promptGradientFlops(phrases));
  return [
    phase("words", steps, images + looked, {
      gradient: images * withTextFlops(size),
      image: looked * imageFlops(size),
      text: texts + counts * featuresFlops(phrases),
    }),
  ];
}

function tuningPhases(size: RunSize, told: number): PlannedPhase[] {
  const { config, shots } = size;
  const encoded = shots.length * (config.views - 1 + config.views * MOST_TRIGGERS * config.dummyLevels);
  const steps = config.epochs * stepsPerEpoch(size);
  // Those of a suspect's own images are as many again.
  const rows = 2 * rowsPerBatch(size);
  const telling = (told + 1) * featuresFlops(size);
  return [
    phase("encode", 1, encoded, { image: encoded * imageFlops(size) }),
    phase("tune", steps, 0, { text: steps * tuningFlops(size, rows) + telling }, told),
    ...(config.recovery > 0 ? [phase("recover", steps, 0, { text: steps * tuningFlops(size, rows) })] : []),
  ];
}

function publishedPhases(size: RunSize, told: number): PlannedPhase[] {
  const { epochs, warmupEpochs, innerSteps } = size.config;
  const rows = rowsPerBatch(size);
  const steps = epochs * stepsPerEpoch(size);
  const inverting = (epochs - warmupEpochs) * stepsPerEpoch(size);
  const inverted = inverting * rows * innerSteps;
  const dummies = inverting * rows;
  const texts = (inverting + told + 1) * featuresFlops(size);
  return [
    preparing(size),
    phase(
      "tune",
      steps,
      inverted + dummies,
      {
        gradient: inverted * perImageFlops(size),
        image: dummies * imageFlops(size),
        text: steps * tuningFlops(size, rows) + texts,
      },
      told,
    ),
  ];
}

function auditAssumptions(size: RunSize): string[] {
  const rounds = radiiOf(size).length;
  const one =
    "The families of the fallback are searched in every class, with words and without, and then one class is suspected and triggers of every family fit it: beside a class that is found before, they are searched in fewer; a clean model saves the fitting.";
  if (rounds === 1) return [one];
  return [
    `All ${rounds} rounds of the search are needed, of which those after the first are of fewer classes; a class that stands out early saves the rest.`,
    one,
  ];
}

function bytesOf(size: RunSize, searches: boolean): PlannedBytes {
  const { targets, shots, layout, width, config } = size;
  const contexts = 4 * layout.contextTokens * layout.width;
  // Triggers and their velocities: of every target, or of every family with the two that they began with.
  const inverting = 2 * targets.length * imageValues(size);
  const refining = 2 * refinedValues(size) + 2 * imageValues(size);
  const search = searches ? 4 * Math.max(inverting, refining) : 0;
  // Of purified prompts and, beside them, of recovery ones.
  const sets = config.recovery > 0 ? 2 : 1;
  const tuning = sets * 3 * contexts * (layout.shared ? 1 : layout.classes);
  return {
    shots: shots.length * imageValues(size),
    state: 3 * Math.max(search, tuning),
    saved: Math.max(search, tuning),
    artifact: sets * layout.classes * (contexts + 4 * width),
  };
}

/** Values of one trigger of each refined family. */
function refinedValues({ imageSize: size }: RunSize): number {
  const seed = { size, dense: new Float32Array(imageValues({ imageSize: size })), radius: 1 };
  return REFINED_FAMILIES.reduce((sum, family) => sum + FAMILIES[family].start(seed).values.length, 0);
}

/** Of one image forward. */
export const imageFlops = ({ checkpoint }: RunSize): number =>
  flopsOf(imageProgram(checkpoint, { batch: "dynamic" }).graph);

/** Of one image of a universal inversion, forward and backward. */
export function universalFlops({ checkpoint, labels, device }: RunSize): number {
  const shape = { triggers: 1, images: 1, classes: labels.length };
  return flopsOf(universalProgram(checkpoint, shape, device).graph);
}

/** Of one image of a published inversion, forward and backward. */
export function perImageFlops({ checkpoint, config, device }: RunSize): number {
  const shape = { batch: 1, temperature: config.temperature };
  return flopsOf(perImageProgram(checkpoint, shape, device).graph);
}

/** Of one tuning step, as `PromptTower` runs it; `rows` are those of its batch. */
export function tuningFlops(size: RunSize, rows: number): number {
  const { checkpoint, layout, device } = size;
  const { classes, length } = layout;
  const shape = { classes, length, batch: rows };
  if (classesPerRun(size) === classes) return flopsOf(tuningProgram(checkpoint, shape, device).graph);
  const head = flopsOf(tuningHeadProgram(checkpoint, shape, device).graph);
  return featuresFlops(size) + head + promptGradientFlops(size);
}

/** Of the gradient by the prompts of all classes. */
function promptGradientFlops(size: RunSize): number {
  const { checkpoint, layout, device } = size;
  const perRun = classesPerRun(size);
  const program = promptGradientProgram(checkpoint, { classes: perRun, length: layout.length }, device);
  return Math.ceil(layout.classes / perRun) * flopsOf(program.graph);
}

/** Of one image of a search with a word, forward and backward. */
function withTextFlops({ checkpoint, labels, device }: RunSize): number {
  const shape = { images: IMAGES_PER_RUN, rows: CLEAN_ROWS, classes: labels.length };
  return flopsOf(pullWithTextProgram(checkpoint, shape, device).graph) / IMAGES_PER_RUN;
}

/** Of the purified text features of all classes. */
function featuresFlops(size: RunSize): number {
  const perRun = classesPerRun(size);
  return Math.ceil(size.layout.classes / perRun) * perRun * textFlops(size, size.layout.length);
}

/** Of one prompt forward. */
const textFlops = ({ checkpoint }: RunSize, length: number): number =>
  flopsOf(textProgram(checkpoint, { classes: 1, length }).graph);

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
