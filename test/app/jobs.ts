import { expect } from "@jest/globals";
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

/** Resolves when the job has told of so many epochs; all but the last of them are saved by then. */
export async function untilCheckpoint(server: Client, id: string, count = 1): Promise<void> {
  const query = `query ($id: ID!) { job(id: $id) { events(afterSeq: 0, first: 100) { __typename } } }`;
  for (;;) {
    const { data } = await server.ask(query, { id });
    const told = data.job.events.filter((event: object) => JSON.stringify(event).includes("CheckpointSaved"));
    if (told.length >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
