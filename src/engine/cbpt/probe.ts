import { type Count, count } from "../evaluation/rate.ts";
import { bankOf } from "./bank.ts";
import { type GuardedText, guardedPredictions } from "./guard.ts";
import type { Purification } from "./purification.ts";
import { dummyKinds, type Suspect } from "./suspect.ts";
import type { Workbench } from "./workbench.ts";

/** How text features do on the shots themselves: a first look, not a test. */
export interface Probe {
  /** Clean accuracy. */
  readonly ca: Count;
  /** Of the shots of other classes under a recovered trigger, how many are given its class; absent without one. */
  readonly asr?: Count;
}

/** Text features [C, D], with the recovery prompts that go with them. */
export type ProbedText = Omit<GuardedText, "undefended">;

/** Probes text features on the cached features of the shots and of their dummies. */
export async function probe(
  bench: Workbench,
  text: ProbedText,
  suspects: readonly Suspect[],
): Promise<Probe> {
  const { shots, features, width, config, matrix } = bench.problem;
  const predict = (images: Float32Array) =>
    guardedPredictions(images, { ...text, undefended: matrix }, width);
  const clean = predict(features);
  const ca = count(clean, (label, index) => label === shots[index].label);
  if (suspects.length === 0) return { ca };
  const [dummies] = (await bankOf(bench, suspects)).dummies;
  const kinds = dummyKinds(suspects, config);
  const asr = { k: 0, n: 0 };
  dummies.forEach((stamped, index) => {
    const target = kinds[index].label;
    const others = predict(stamped).filter((_, shot) => shots[shot].label !== target);
    asr.k += others.filter((label) => label === target).length;
    asr.n += others.length;
  });
  return { ca, asr };
}

/** What tuned prompts do; in the published mode the dummies are each step's own, so their pull is what the last epoch counted. */
export async function probeTuned(
  bench: Workbench,
  text: ProbedText,
  { suspects, pulled }: Pick<Purification & { phase: "tune" }, "suspects" | "pulled">,
): Promise<Probe> {
  const shown = await probe(bench, text, suspects);
  return pulled.n > 0 ? { ...shown, asr: pulled } : shown;
}
