import type { Antidote, Audit, ClassAudit, Version } from "../client/index.ts";
import { say } from "./show.ts";
import type { World } from "./world.ts";

/** The prompt version that a purification made, and what its audit found, in words. */
export interface PurifiedVersion extends Version {
  readonly found: string;
}

/** Starts a purification, follows its events to the end, and answers what came of it. */
export async function purify(
  antidote: Antidote,
  { model, dataset }: World,
  advance: (done: number, note?: string) => void,
): Promise<PurifiedVersion> {
  const job = await antidote.purify({ modelId: model.id, datasetId: dataset, promptSet: "demo" });
  for await (const event of job.events()) {
    if (event.__typename === "StepMetrics")
      advance(100 * event.progress, `${event.phase} ${event.epoch}/${event.epochs}`);
    if (event.__typename === "LogLine") say(`  ${event.text}`);
  }
  const { version, audit } = await job.result();
  return { ...version, found: audit ? inWords(audit) : "no audit" };
}

function inWords({ verdict, suspects, classes }: Audit): string {
  const named = ({ label, pulled }: ClassAudit): string =>
    `"${label}" (${(100 * pulled.value).toFixed(0)} %)`;
  const suspected = new Set(suspects.map(({ label }) => label));
  const others = classes.filter(({ label }) => !suspected.has(label)).slice(0, 2);
  const found = suspects.length > 0 ? suspects.map(named).join(", ") : "no class";
  return `${verdict}, ${found}; of the others a trigger pulls most to ${others.map(named).join(", ")}.`;
}
