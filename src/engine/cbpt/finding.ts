import type { Count } from "../evaluation/rate.ts";
import { type FamilyTrigger, stampFamily } from "./families/index.ts";
import { dot, gatherRows, meanRow, predictions, row } from "./features.ts";
import type { Problem } from "./problem.ts";
import { sampleOthers } from "./sampling.ts";
import type { Finding, TriggerFamily } from "./verdict.ts";
import type { Workbench } from "./workbench.ts";

/** Most shots of other classes on which a trigger's pull is counted. */
export const COUNTED = 128;

/** What a trigger does to shots of other classes, as the undefended model sees them. */
export interface Effect {
  readonly pulled: Count;
  /** As of a finding. */
  readonly attraction: number;
  /** [D]: where it brings images, the mean of their normalised features. */
  readonly centre: Float32Array;
}

export async function effectOf(bench: Workbench, label: number, trigger: FamilyTrigger): Promise<Effect> {
  const { problem } = bench;
  const { shots, matrix, width, imageSize } = problem;
  const others = sampleOthers(problem, label, COUNTED);
  const triggered = await bench.encode(
    others.map((index) => stampFamily(trigger, shots[index].pixels, imageSize)),
  );
  const hits = predictions(triggered, matrix, width).filter((predicted) => predicted === label);
  const centre = meanRow(triggered, width);
  const attraction = dot(centre, row(matrix, width, label)) / ownSimilarity(problem, label);
  return { pulled: { k: hits.length, n: others.length }, attraction, centre };
}

/** The same, with what was looked for where. */
export const findingOf = async (
  bench: Workbench,
  label: number,
  trigger: FamilyTrigger,
  family: TriggerFamily,
): Promise<Finding> => {
  const { pulled, attraction } = await effectOf(bench, label, trigger);
  return { label, family, pulled, attraction };
};

/** Mean cosine of a class's clean shots with its text. */
function ownSimilarity({ shots, features, matrix, width }: Problem, label: number): number {
  const own = shots.flatMap((shot, index) => (shot.label === label ? [index] : []));
  return dot(meanRow(gatherRows(features, width, own), width), row(matrix, width, label));
}
