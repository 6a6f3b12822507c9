import type { GateTerms } from "../gates.ts";

/** An attack to evaluate with, as `EvaluateChoice` has it. */
export interface ScheduledAttack {
  readonly kind: string;
  /** A label. */
  readonly target: string;
  readonly parameters: Record<string, unknown>;
}

/** What must go on to hold; at least one of them is given. */
export type ScheduleTerms = Omit<GateTerms, "promoteAlias">;

/** Evaluations that are to be made again and again, as stored under `schedules/<tenant>/<id>`. */
export interface ScheduleRecord {
  readonly id: string;
  readonly tenant: string;
  readonly promptSet: string;
  readonly alias: string;
  readonly dataset: string;
  readonly attacks: readonly ScheduledAttack[];
  readonly everySeconds: number;
  readonly gate: ScheduleTerms;
  /** The name of the key that made it. */
  readonly by: string;
  readonly createdAt: string;
  /** When it is due next. */
  readonly nextAt: string;
  /** The server that looks after it now; another one may when the time is over. */
  readonly lease?: { readonly holder: string; readonly until: string };
  /** The evaluations that are being made. */
  readonly firing?: Firing;
  /** How many outcomes there are, or fewer where a server that does not count them has added some; absent at first. */
  readonly outcomes?: number;
}

export interface Firing {
  /** When it was due: with the schedule's id, it names the evaluations, which are therefore started once. */
  readonly dueAt: string;
  /** Where the alias was then. */
  readonly versionId: string;
  /** One for each attack, or a single one without an attack; and of the undefended prompts, where a term needs it. */
  readonly jobs?: { readonly attacks: readonly string[]; readonly undefended?: string };
}

export const OUTCOMES = [
  "PASSED",
  "ROLLED_BACK",
  "NOWHERE_TO_RETURN",
  "MOVED_MEANWHILE",
  "INCOMPLETE",
] as const;

/** What came of a firing, as appended to the stream `schedules/<tenant>/<id>/outcomes`. */
export interface OutcomeRecord {
  readonly outcome: (typeof OUTCOMES)[number];
  readonly at: string;
  readonly dueAt: string;
  /** The version that was evaluated. */
  readonly versionId?: string;
  /** What did not hold, or could not be measured. */
  readonly reasons: readonly string[];
  readonly evaluations: readonly string[];
  /** The version that the alias was moved back to. */
  readonly to?: string;
}

export const SCHEDULES = "schedules/";

export const scheduleKey = (tenant: string, id: string): string => `${SCHEDULES}${tenant}/${id}`;
export const outcomesOf = (tenant: string, id: string): string => `${scheduleKey(tenant, id)}/outcomes`;
