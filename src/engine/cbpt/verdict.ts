import type { Count } from "../evaluation/rate.ts";

/** The kinds of triggers that an audit looks for. */
export type TriggerFamily = "dense" | "grating";

/** What one family's best trigger for one class does to shots of other classes. */
export interface Finding {
  readonly label: number;
  readonly family: TriggerFamily;
  readonly pulled: Count;
}

/** A class is suspected when its trigger pulls at least this share of other classes' shots, */
const LEAST_SHARE: Record<TriggerFamily, number> = { dense: 0.3, grating: 0.8 };
/** and this much more than the median class of the family does. */
const LEAST_LEAD: Record<TriggerFamily, number> = { dense: 0.2, grating: 0.3 };

/** The findings that stand out from the others of their family and from what clean models do. */
export function suspectsAmong(findings: readonly Finding[]): Finding[] {
  return findings.filter((finding) => {
    const family = findings.filter((other) => other.family === finding.family);
    const own = share(finding);
    const typical = median(family.map(share));
    return own >= LEAST_SHARE[finding.family] && own >= typical + LEAST_LEAD[finding.family];
  });
}

const share = ({ pulled }: Finding): number => (pulled.n === 0 ? 0 : pulled.k / pulled.n);

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** For each class the finding that comes closest to suspicion, most pulled first. */
export function strongest(findings: readonly Finding[]): Finding[] {
  const best = new Map<number, Finding>();
  for (const finding of findings) {
    const known = best.get(finding.label);
    if (known === undefined || weight(finding) > weight(known)) best.set(finding.label, finding);
  }
  return [...best.values()].sort((a, b) => weight(b) - weight(a));
}

const weight = (finding: Finding): number => share(finding) / LEAST_SHARE[finding.family];
