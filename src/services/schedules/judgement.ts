import type { Count } from "../../engine/evaluation/rate.ts";
import { evaluateGate } from "../gates.ts";
import type { EvaluationRecord } from "../job-specs.ts";
import type { ProbeRecord } from "../prompts.ts";
import type { ScheduleTerms } from "./records.ts";

export interface Judgement {
  /** The evaluations that show that a term does not hold. */
  readonly against: readonly EvaluationRecord[];
  /** What does not hold. */
  readonly reasons: readonly string[];
  /** Terms that could not be measured: they speak neither for the version nor against it. */
  readonly unmeasured: readonly string[];
}

/**
 * What evaluations of one version say of a gate, each with its own attack. A gate that admits a new version takes what
 * was not measured as not passed; to take a version away, something has to have been measured against it.
 */
export function judge(
  terms: ScheduleTerms,
  evaluations: readonly EvaluationRecord[],
  undefended: Count | undefined,
): Judgement {
  const judged = evaluations.map((evaluation) => judgeOne(terms, evaluation, undefended));
  return {
    against: evaluations.filter((_, index) => judged[index].reasons.length > 0),
    reasons: [...new Set(judged.flatMap(({ reasons }) => reasons))],
    unmeasured: [...new Set(judged.flatMap(({ unmeasured }) => unmeasured))],
  };
}

function judgeOne(
  { maxAsr95, minCaDelta }: ScheduleTerms,
  { ca, asr, attack }: EvaluationRecord,
  undefended: Count | undefined,
): Omit<Judgement, "against"> {
  const unmeasured: string[] = [];
  const hasAsr = asr !== undefined && asr.n > 0;
  if (maxAsr95 !== undefined && !hasAsr) unmeasured.push("No image could show whether the attack succeeds.");
  const hasCa = ca.n > 0 && undefended !== undefined && undefended.n > 0;
  if (minCaDelta !== undefined && !hasCa) unmeasured.push("Clean accuracy could not be compared.");
  const measured = {
    maxAsr95: hasAsr ? maxAsr95 : undefined,
    minCaDelta: hasCa ? minCaDelta : undefined,
    promoteAlias: "",
  };
  const { reasons } = evaluateGate(measured, { ca, asr }, { ca: undefended ?? { k: 0, n: 0 } });
  const named = attack ? reasons.map((reason) => `${attack.kind} to "${attack.target}": ${reason}`) : reasons;
  return { reasons: named, unmeasured };
}

/** Whether a version has passed a gate by what was measured when it was made; nothing unmeasured has passed. */
export const passedWhenMade = (terms: ScheduleTerms, probe: ProbeRecord, undefended: ProbeRecord): boolean =>
  evaluateGate({ ...terms, promoteAlias: "" }, probe, undefended).passed;
