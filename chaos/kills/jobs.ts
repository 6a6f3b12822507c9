import { Antidote, AntidoteError } from "../../client/index.ts";
import type { JobEntry } from "./ledger.ts";

export const PROMPT_SET = "chaos";
/** Jobs of one seed have one result. */
export const SEEDS = [1, 2];

const input = (seed: number) => ({
  modelId: "model_scenes-badnet",
  datasetId: "dataset_scenes-shots",
  labels: ["apple", "banana", "house"],
  seed,
  shots: 2,
  radius: 2,
  innerSteps: 4,
  innerBatch: 1,
  views: 1,
  epochs: 3,
  warmupEpochs: 0,
});

/** Starts it, or finds it started: its key is its name. */
export async function startJob(client: Antidote, { kind, name, seed }: JobEntry): Promise<{ id: string }> {
  const options = { idempotencyKey: name };
  const job =
    kind === "audit"
      ? await client.audit(input(seed), options)
      : await client.purify({ ...input(seed), promptSet: PROMPT_SET }, options);
  return { id: job.id };
}

interface State {
  readonly status: string;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly version?: { readonly id: string; readonly digest: string } | null;
  readonly audit?: object | null;
}

const STATE = `query ($id: ID!) { job(id: $id) {
  status failure { code message }
  ... on PurificationJob { version: result { id digest } }
  ... on AuditJob { audit: result { verdict suspects { label } classes { label pulled { k n } family } } }
} }`;

/** Fails with NOT_FOUND where an unknown job would. */
export async function jobState(client: Antidote, id: string): Promise<State> {
  const { job } = await client.request<{ job: State | null }>(STATE, { id });
  if (!job) throw new AntidoteError({ code: "NOT_FOUND", message: `The job ${id} is not there.` });
  return job;
}

/** What two jobs of the same input must have in common. */
export const outcomeOf = ({ version, audit }: State): string => JSON.stringify(version?.digest ?? audit);
