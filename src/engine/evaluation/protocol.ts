import { AppError } from "../../errors.ts";
import { type Count, count } from "./rate.ts";

/**
 * Names the rules below; a report carries it so that numbers are compared only when they were counted alike.
 *
 * 2: an experiment counts only if the undefended attack works (`LEAST_SUCCESS`), and shots that are among the test
 *    images are refused by `reproduce` (`requireUnseen`); a server's evaluation tells how many there are
 *    (`seenByDefence`). What `measure` counts is as it was in 1.
 */
export const PROTOCOL = "antidote-evaluation-2";

/** The undefended attack success below which a defence has nothing to show; faint triggers are allowed less. */
const LEAST_SUCCESS: Readonly<Record<string, number>> = { sig: 0.75, ssba: 0.4 };
const LEAST_SUCCESS_OF_OTHERS = 0.9;

/** The least share of undefended attack success for an experiment with this attack to count. */
export const leastSuccess = (attack: string): number => LEAST_SUCCESS[attack] ?? LEAST_SUCCESS_OF_OTHERS;

/** Whether the undefended attack works well enough for a defence against it to mean anything. */
export const isEffective = (attack: string, { k, n }: Count): boolean =>
  n > 0 && k / n >= leastSuccess(attack);

/** Fails with VALIDATION_FAILED when an image that the defence has seen is among the test images, by their digests. */
export function requireUnseen(shots: readonly string[], test: readonly string[]): void {
  const seen = new Set(shots);
  const shared = test.filter((digest) => seen.has(digest)).length;
  if (shared === 0) return;
  throw new AppError(
    "VALIDATION_FAILED",
    `${shared} of ${test.length} test images are among the shots that the defence has seen. Choose others to test on.`,
    { shared, test: test.length },
  );
}

/** One test image: its true class, and the class predicted for it clean and with the trigger (when there is one). */
export interface Outcome {
  readonly label: number;
  readonly clean: number;
  readonly triggered?: number;
}

export interface Measurement {
  readonly protocol: string;
  /** Clean accuracy: clean images given their true class. */
  readonly ca: Count;
  /** Attack success: triggered images of other classes given the target. */
  readonly asr?: Count;
  /** The same with the target's own images counted in. */
  readonly asrIncludingTarget?: Count;
  /** Triggered images of other classes given their true class. */
  readonly trueLabelUnderTrigger?: Count;
  /** Clean images of the target given the target. */
  readonly targetRecall?: Count;
  /** Clean images of other classes given the target: what ASR would be without any trigger. */
  readonly cleanFloor?: Count;
  /** For each class, its clean accuracy and, under attack, how many of its triggered images went to the target. */
  readonly perClass: readonly { readonly label: number; readonly ca: Count; readonly pulled?: Count }[];
}

/** Counts a whole test by the protocol. `target` is the attacker's class; without it only clean accuracy is told. */
export function measure(outcomes: readonly Outcome[], classes: number, target?: number): Measurement {
  const right = ({ label, clean }: Outcome) => clean === label;
  const attacked = ({ triggered }: Outcome) => triggered !== undefined && triggered === target;
  const perClass = Array.from({ length: classes }, (_, label) => {
    const own = outcomes.filter((outcome) => outcome.label === label);
    return {
      label,
      ca: count(own, right),
      ...(target === undefined ? {} : { pulled: count(own, attacked) }),
    };
  });
  const clean = { protocol: PROTOCOL, ca: count(outcomes, right), perClass };
  if (target === undefined) return clean;
  const others = outcomes.filter(({ label }) => label !== target);
  const own = outcomes.filter(({ label }) => label === target);
  return {
    ...clean,
    asr: count(others, attacked),
    asrIncludingTarget: count(outcomes, attacked),
    trueLabelUnderTrigger: count(others, ({ label, triggered }) => triggered === label),
    targetRecall: count(own, right),
    cleanFloor: count(others, ({ clean: predicted }) => predicted === target),
  };
}
