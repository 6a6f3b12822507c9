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

/** The findings (of one family, all classes) that stand out from the others and from what clean models do. */
export function suspectsAmong(findings: readonly Finding[]): Finding[] {
  const typical = median(findings.map(share));
  return findings.filter((finding) => {
    const own = share(finding);
    return own >= LEAST_SHARE[finding.family] && own >= typical + LEAST_LEAD[finding.family];
  });
}

const share = ({ pulled }: Finding): number => (pulled.n === 0 ? 0 : pulled.k / pulled.n);

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
