import { AppError } from "../../errors.ts";
import type { Store, Write } from "../../store/store.ts";
import type { Aliases, AliasRecord } from "../aliases.ts";
import { globalId } from "../global-id.ts";
import type { Prompts, VersionRecord } from "../prompts.ts";
import type { ModelRegistry } from "../registry.ts";
import { eventWrites } from "../webhooks/events.ts";
import { type Judgement, passedWhenMade } from "./judgement.ts";
import { newestOutcomes } from "./outcomes.ts";
import type { ScheduleRecord } from "./records.ts";

interface RollbackTools {
  readonly store: Store;
  readonly models: Pick<ModelRegistry, "ofVersion">;
  readonly aliases: Aliases;
  readonly prompts: Prompts;
}

interface Rollback {
  readonly outcome: "ROLLED_BACK" | "NOWHERE_TO_RETURN" | "MOVED_MEANWHILE";
  /** Where the alias moves. */
  readonly to?: string;
  readonly writes: readonly Write[];
}

const MOST_MOVES = 100;
const MOST_OUTCOMES = 10_000;
const LONGEST_REASON = 500;

/**
 * What is to be written when evaluations speak against the version that an alias was at: a move to the last version of
 * its history that has passed the same gate. The commit fails when the alias moves before it.
 */
export async function planRollback(
  tools: RollbackTools,
  schedule: ScheduleRecord,
  versionId: string,
  { reasons, against }: Judgement,
): Promise<Rollback> {
  const { promptSet, alias, id, tenant } = schedule;
  const record = await tools.aliases.find(promptSet, alias);
  if (record?.versionId !== versionId) return { outcome: "MOVED_MEANWHILE", writes: [] };
  const to = await lastPassed(tools, schedule, record);
  const facts = {
    promptSetId: globalId("promptset", promptSet),
    alias,
    versionId: globalId("version", versionId),
    scheduleId: globalId("schedule", id),
    evaluationIds: against.map((evaluation) => globalId("evaluation", evaluation.id)),
    reasons,
  };
  const failed = await eventWrites(tools.store, tenant, "alias.gate-failed", facts);
  if (to === undefined) return { outcome: "NOWHERE_TO_RETURN", writes: failed };
  const reason = `A scheduled evaluation speaks against ${versionId}. ${reasons.join(" ")}`;
  const move = { promptSet, alias, to, by: `schedule ${id}`, evidence: against[0].id };
  try {
    const moved = await tools.aliases.plan({ ...move, reason: reason.slice(0, LONGEST_REASON) }, versionId);
    const returned = { ...facts, to: globalId("version", to) };
    const told = await eventWrites(tools.store, tenant, "alias.rolled-back", returned);
    return { outcome: "ROLLED_BACK", to, writes: [...moved, ...failed, ...told] };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "STALE_ALIAS") throw error;
    return { outcome: "MOVED_MEANWHILE", writes: [] };
  }
}

/** The newest version that the alias was at and that this gate admits, other than the one that it is at now. */
async function lastPassed(
  { store, models, aliases, prompts }: RollbackTools,
  schedule: ScheduleRecord,
  record: AliasRecord,
): Promise<string | undefined> {
  const moves = await aliases.history(record, MOST_MOVES);
  const stored = await newestOutcomes(store, schedule, MOST_OUTCOMES);
  const verdicts = new Map(
    stored
      .filter(({ value: { outcome } }) => outcome !== "INCOMPLETE")
      .map(({ value: { versionId, outcome } }) => [versionId, outcome === "PASSED"]),
  );
  for (const candidate of new Set(moves.map(({ to }) => to))) {
    if (candidate === record.versionId) continue;
    const version = await prompts.findVersion(candidate);
    if (!version || !(await isServed(models, version))) continue;
    // What an imported version claims of itself is no evidence.
    const byProbe = () =>
      version.importedBy === undefined &&
      passedWhenMade(schedule.gate, version.probe, version.undefendedProbe);
    if (verdicts.get(candidate) ?? byProbe()) return candidate;
  }
  return undefined;
}

const isServed = (models: RollbackTools["models"], version: VersionRecord): Promise<boolean> =>
  models.ofVersion(version).then(
    () => true,
    () => false,
  );
