import { expect } from "@jest/globals";
import { until } from "../support/until.ts";
import type { Client } from "./server.ts";

export const FOLLOW =
  "subscription ($id: ID!) { jobEvents(jobId: $id) { seq ... on StatusChanged { status } } }";

/** Of the version that a purification made. */
export async function digestOf(server: Client, id: string): Promise<string> {
  const { data } = await server.ask(
    `query ($id: ID!) { job(id: $id) { status failure { message } ... on PurificationJob { result { digest } } } }`,
    { id },
  );
  expect(data.job).toMatchObject({ status: "SUCCEEDED", failure: null });
  return data.job.result.digest;
}

const EVENTS_AT_ONCE = 100;
const EVENTS = `query ($id: ID!, $after: Int!) { job(id: $id) {
  events(afterSeq: $after, first: ${EVENTS_AT_ONCE}) {
    __typename seq ... on StatusChanged { status } ... on StepMetrics { phase step }
  }
} }`;

interface ToldEvent {
  readonly __typename: string;
  readonly seq: number;
  readonly status?: string;
  readonly phase?: string;
  readonly step?: number;
}

/** All that a job has told since; a slow one tells more than one answer has room for. */
export async function eventsOf(server: Client, id: string, afterSeq = 0): Promise<ToldEvent[]> {
  const all: ToldEvent[] = [];
  for (let after = afterSeq; ; after = all.at(-1)!.seq) {
    const { data } = await server.ask(EVENTS, { id, after });
    all.push(...data.job.events);
    if (data.job.events.length < EVENTS_AT_ONCE) return all;
  }
}

/** Resolves when the job has told of so many epochs; all but the last of them are saved by then. */
export async function untilCheckpoint(server: Client, id: string, count = 1): Promise<void> {
  let told = 0;
  let last = 0;
  await until(async () => {
    const events = await eventsOf(server, id, last);
    told += events.filter(({ __typename }) => __typename === "CheckpointSaved").length;
    last = events.at(-1)?.seq ?? last;
    return told >= count;
  }, 30);
}
