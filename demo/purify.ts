import { randomUUID } from "node:crypto";
import type { Client } from "./client.ts";
import { EVENTS, OUTCOME, PURIFY } from "./operations.ts";
import { say } from "./show.ts";
import type { World } from "./world.ts";

/** The prompt version that a purification made, and what its audit found, in words. */
export interface PurifiedVersion {
  readonly id: string;
  readonly number: number;
  readonly digest: string;
  readonly audit: string;
}

interface UserError {
  readonly code: string;
  readonly message: string;
}

interface Event {
  readonly jobEvents: {
    readonly __typename: string;
    readonly phase?: string;
    readonly epoch?: number;
    readonly epochs?: number;
    readonly progress?: number;
    readonly text?: string;
  };
}

interface ClassAudit {
  readonly label: string;
  readonly pulled: { readonly value: number };
}

interface Outcome {
  readonly job: {
    readonly status: string;
    readonly failure: UserError | null;
    readonly result: Omit<PurifiedVersion, "audit"> | null;
    readonly audit: {
      readonly verdict: string;
      readonly suspects: readonly ClassAudit[];
      readonly classes: readonly ClassAudit[];
    } | null;
  };
}

/** Starts a purification, follows its events to the end, and answers what came of it. */
export async function purify(
  client: Client,
  { model, dataset }: World,
  advance: (done: number, note?: string) => void,
): Promise<PurifiedVersion> {
  const input = { modelId: model.id, datasetId: dataset, promptSet: "demo" };
  const { purify } = await client.request<{
    purify: { job: { id: string } | null; userErrors: UserError[] };
  }>(PURIFY, {
    input,
    key: randomUUID(),
  });
  if (!purify.job) throw new Error(inWords(purify.userErrors));
  for await (const { jobEvents: event } of client.follow<Event>(EVENTS, { job: purify.job.id })) {
    if (event.__typename === "StepMetrics")
      advance(100 * (event.progress ?? 0), `${event.phase} ${event.epoch}/${event.epochs}`);
    if (event.__typename === "LogLine") say(`  ${event.text}`);
  }
  return outcome(client, purify.job.id);
}

async function outcome(client: Client, id: string): Promise<PurifiedVersion> {
  const { job } = await client.request<Outcome>(OUTCOME, { job: id });
  if (job.status !== "SUCCEEDED" || !job.result)
    throw new Error(`The purification ended as ${job.status}. ${job.failure ? inWords([job.failure]) : ""}`);
  return { ...job.result, audit: auditInWords(job.audit) };
}

function auditInWords(audit: Outcome["job"]["audit"]): string {
  if (!audit) return "no audit";
  const named = ({ label, pulled }: ClassAudit): string =>
    `"${label}" (${(100 * pulled.value).toFixed(0)} %)`;
  const suspected = new Set(audit.suspects.map(({ label }) => label));
  const others = audit.classes.filter(({ label }) => !suspected.has(label)).slice(0, 2);
  const found = audit.suspects.length > 0 ? audit.suspects.map(named).join(", ") : "no class";
  return `${audit.verdict}, ${found}; of the others the noise pulls most to ${others.map(named).join(", ")}.`;
}

const inWords = (errors: readonly UserError[]): string =>
  errors.map(({ code, message }) => `${code}: ${message}`).join("; ");
