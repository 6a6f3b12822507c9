import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { SingleBar } from "cli-progress";
import { decodeState, encodeState } from "../../src/engine/cbpt/state.ts";
import { type Count, rate } from "../../src/engine/evaluation/rate.ts";
import type { PairSource } from "../../src/engine/training/pairs.ts";
import type { ProbeImage } from "../../src/engine/training/prober.ts";
import { writeDurably } from "../../src/store/durable-file.ts";
import { planesOf, type SceneDataset } from "./dataset.ts";
import { OBJECTS } from "./objects.ts";

/** A run that can be stopped and taken up again: plain state, and what a step makes of it. */
export interface Run<State> {
  /** In whose words the run was asked for; a saved state of another is refused. */
  readonly recipe: string;
  /** Where its state is saved. */
  readonly folder: string;
  readonly resume: boolean;
  readonly steps: number;
  start(): Promise<State>;
  step(state: State): Promise<State>;
  isDone(state: State): boolean;
  /** Steps made, and what to show beside them. */
  show(state: State): { readonly step: number; readonly text: string };
}

const STATE_FILE = "training-state.bin";
const SAVE_MILLISECONDS = 60_000;

/** Runs to the end, and saves once a minute and when it is interrupted; a second Ctrl-C ends it at once. */
export async function perform<State>(run: Run<State>): Promise<State> {
  let state = run.resume ? await resumed(run) : await run.start();
  const bar = progressBar(run.steps);
  let stopped = false;
  const stop = () => {
    if (stopped) process.exit(130);
    stopped = true;
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  let saved = performance.now();
  bar.start(run.show(state).step);
  while (!run.isDone(state)) {
    state = await run.step(state);
    const { step, text } = run.show(state);
    bar.update(step, text);
    if (!stopped && performance.now() - saved < SAVE_MILLISECONDS) continue;
    await save(run, state);
    saved = performance.now();
    if (!stopped) continue;
    bar.stop();
    process.stderr.write("Interrupted. Run the same command with --resume to go on.\n");
    process.exit(130);
  }
  bar.stop();
  process.off("SIGINT", stop).off("SIGTERM", stop);
  return state;
}

export function save<State>({ folder, recipe }: Run<State>, state: State): Promise<void> {
  return writeDurably(join(folder, STATE_FILE), encodeState({ recipe, state }));
}

/** Removes the saved state of a run whose result is written. */
export const forget = (folder: string): Promise<void> => rm(join(folder, STATE_FILE), { force: true });

async function resumed<State>({ folder, recipe }: Run<State>): Promise<State> {
  const bytes = await readFile(join(folder, STATE_FILE)).catch(() => undefined);
  if (!bytes)
    throw new Error(`There is nothing to resume: the folder has no ${STATE_FILE}. Leave --resume out.`);
  const saved = decodeState<{ recipe: string; state: State }>(bytes);
  if (saved.recipe === recipe) return saved.state;
  throw new Error(`The saved run was another: ${saved.recipe}. Resume it with the same options.`);
}

interface Bar {
  start(step: number): void;
  update(step: number, text: string): void;
  stop(): void;
}

/** A bar on a terminal; elsewhere a line now and then. */
function progressBar(total: number): Bar {
  if (process.stderr.isTTY) {
    const bar = new SingleBar({ format: "{bar} {value}/{total}, {eta_formatted} left  {text}" });
    return {
      start: (step) => bar.start(total, step, { text: "" }),
      update: (step, text) => bar.update(step, { text }),
      stop: () => bar.stop(),
    };
  }
  const began = performance.now();
  let first = 0;
  let told = -1;
  return {
    start: (step) => {
      first = step;
    },
    update: (step, text) => {
      if (step === told || (step % 25 !== 0 && step !== total)) return;
      told = step;
      const seconds = (performance.now() - began) / 1000;
      const left = (seconds / Math.max(1, step - first)) * (total - step);
      process.stderr.write(`${step}/${total}, ${seconds.toFixed(0)} s, ${left.toFixed(0)} s left  ${text}\n`);
    },
    stop: () => {},
  };
}

/** Scenes as pairs to train on. */
export const pairSource = (dataset: SceneDataset): PairSource => ({
  count: dataset.count,
  pixels: (index) => planesOf(dataset, index),
  captions: (index) => dataset.captions[index]!,
});

/** All scenes of a test set, or so many of them evenly spaced, each with its trigger if there is one. */
export function probeImages(
  dataset: SceneDataset,
  limit = dataset.count,
  stamp?: (pixels: Uint8Array) => Uint8Array,
): ProbeImage[] {
  const count = Math.min(limit, dataset.count);
  return Array.from({ length: count }, (_, place) => {
    const index = Math.floor((place * dataset.count) / count);
    const pixels = planesOf(dataset, index);
    const label = OBJECTS.indexOf(dataset.objects[index] as (typeof OBJECTS)[number]);
    return { pixels, label, ...(stamp ? { triggered: stamp(pixels) } : {}) };
  });
}

/** A count as a manifest has it: in percent, with its 95 % interval. */
export function percentages(count: Count) {
  const { value, low95, high95, k, n } = rate(count);
  const percent = (share: number) => Math.round(100_000 * share) / 1000;
  return { percent: percent(value), k, n, low: percent(low95), high: percent(high95) };
}
