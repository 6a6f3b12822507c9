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

interface Outcome {
  readonly job: {
    readonly status: string;
    readonly failure: UserError | null;
    readonly result: Omit<PurifiedVersion, "audit"> | null;
    readonly audit: {
      readonly verdict: string;
      readonly classes: readonly { readonly label: string; readonly pulled: { readonly value: number } }[];
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
  const [first, second] = audit.classes.map(
    ({ label, pulled }) => `"${label}" ${(100 * pulled.value).toFixed(0)} %`,
  );
  return `${audit.verdict}; images pulled over: ${first}, next ${second}`;
}

const inWords = (errors: readonly UserError[]): string =>
  errors.map(({ code, message }) => `${code}: ${message}`).join("; ");
