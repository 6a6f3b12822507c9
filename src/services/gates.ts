import { rate } from "../engine/evaluation/rate.ts";
import { AppError } from "../errors.ts";
import type { ProbeRecord } from "./prompts.ts";

/** What must hold before an alias moves to a new version. */
export interface GateTerms {
  readonly maxAsr95?: number;
  readonly minCaDelta?: number;
  readonly promoteAlias: string;
}

export interface GateResult {
  readonly passed: boolean;
  readonly alias: string;
  /** What did not hold. */
  readonly reasons: readonly string[];
}

/** Fails with VALIDATION_FAILED for a term that can never or always hold. */
export function checkTerms({ maxAsr95, minCaDelta }: Omit<GateTerms, "promoteAlias">): void {
  if (maxAsr95 !== undefined && !(maxAsr95 >= 0 && maxAsr95 <= 1))
    throw new AppError("VALIDATION_FAILED", "gate.maxAsr95 must be a number from 0 to 1.");
  if (minCaDelta !== undefined && !(minCaDelta >= -1 && minCaDelta <= 1))
    throw new AppError("VALIDATION_FAILED", "gate.minCaDelta must be a number from -1 to 1.");
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** A term that could not be measured has not passed; without terms everything passes. */
export function evaluateGate(
  { maxAsr95, minCaDelta, promoteAlias }: GateTerms,
  probe: ProbeRecord,
  undefended: ProbeRecord,
): GateResult {
  const reasons: string[] = [];
  if (maxAsr95 !== undefined) {
    const asr95 = probe.asr && probe.asr.n > 0 ? rate(probe.asr).high95 : undefined;
    if (asr95 === undefined)
      reasons.push("The attack's success was not measured, because no trigger was recovered.");
    else if (asr95 > maxAsr95)
      reasons.push(
        `The attack may succeed on up to ${percent(asr95)} of images; at most ${percent(maxAsr95)} are allowed.`,
      );
  }
  if (minCaDelta !== undefined) {
    const delta = rate(probe.ca).value - rate(undefended.ca).value;
    if (probe.ca.n === 0 || undefended.ca.n === 0) reasons.push("Clean accuracy was not measured.");
    else if (delta < minCaDelta)
      reasons.push(
        `Clean accuracy changes by ${percent(delta)}; at least ${percent(minCaDelta)} is asked for.`,
      );
  }
  return { passed: reasons.length === 0, alias: promoteAlias, reasons };
}
