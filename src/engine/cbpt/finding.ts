import { type FamilyTrigger, stampFamily } from "./families/index.ts";
import { dot, gatherRows, predictions, row } from "./features.ts";
import type { Problem } from "./problem.ts";
import { sampleOthers } from "./sampling.ts";
import type { Finding, TriggerFamily } from "./verdict.ts";
import type { Workbench } from "./workbench.ts";

/** Most shots of other classes on which a trigger's pull is counted. */
export const COUNTED = 128;

/** What a trigger does to shots of other classes, as the undefended model sees them. */
export async function effectOf(
  bench: Workbench,
  label: number,
  trigger: FamilyTrigger,
): Promise<Pick<Finding, "pulled" | "attraction">> {
  const { problem } = bench;
  const { shots, matrix, width, imageSize } = problem;
  const others = sampleOthers(problem, label, COUNTED);
  const triggered = await bench.encode(
    others.map((index) => stampFamily(trigger, shots[index].pixels, imageSize)),
  );
  const hits = predictions(triggered, matrix, width).filter((predicted) => predicted === label);
  const text = row(matrix, width, label);
  const attraction = meanSimilarity(triggered, text, width) / ownSimilarity(problem, label);
  return { pulled: { k: hits.length, n: others.length }, attraction };
}

/** The same, with what was looked for where. */
export const findingOf = async (
  bench: Workbench,
  label: number,
  trigger: FamilyTrigger,
  family: TriggerFamily,
): Promise<Finding> => ({ label, family, ...(await effectOf(bench, label, trigger)) });

/** Mean cosine of a class's clean shots with its text. */
function ownSimilarity({ shots, features, matrix, width }: Problem, label: number): number {
  const own = shots.flatMap((shot, index) => (shot.label === label ? [index] : []));
  return meanSimilarity(gatherRows(features, width, own), row(matrix, width, label), width);
}

/** Mean cosine of normalised rows [n, D] with a normalised text feature. */
function meanSimilarity(rows: Float32Array, text: Float32Array, width: number): number {
  const count = rows.length / width;
  const all = Array.from({ length: count }, (_, index) => dot(row(rows, width, index), text));
  return all.reduce((sum, similarity) => sum + similarity, 0) / count;
}
