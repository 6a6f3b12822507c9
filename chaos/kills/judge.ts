import { setTimeout as delay } from "node:timers/promises";
import { Antidote, AntidoteError } from "../../client/index.ts";
import type { Server } from "../fleet.ts";
import type { Row } from "../part.ts";
import { isStored } from "./ageing.ts";
import { jobState, outcomeOf, PROMPT_SET, startJob } from "./jobs.ts";
import { acknowledged, type JobEntry, type Ledger } from "./ledger.ts";

const JOB_LIMIT_MS = 180_000;

/** Results of an undisturbed run, by kind and seed. */
export type Expected = ReadonlyMap<string, string>;

export const inputOf = ({ kind, seed }: Pick<JobEntry, "kind" | "seed">): string => `${kind} ${seed}`;

interface Judged extends Pick<Server, "client" | "url"> {
  readonly blobsFolder: string;
}

/** Holds all that is there now against what was acknowledged. */
export async function judge(server: Judged, ledger: Ledger, expected: Expected): Promise<Row[]> {
  return [
    await datasets(server, ledger),
    { what: "keys acknowledged", count: acknowledged(ledger.keys), violations: await keys(server, ledger) },
    {
      what: "alias moves acknowledged",
      count: acknowledged(ledger.moves),
      violations: await moves(server, ledger),
    },
    await jobs(server, ledger, expected),
  ];
}

async function datasets({ client, blobsFolder }: Judged, ledger: Ledger): Promise<Row> {
  const wrong: string[] = [];
  const [deleted, removed] = [new Set<string>(), new Set<string>()];
  for (const { name, images, acknowledged, deletion } of ledger.datasets) {
    const { dataset } = await client.request<{ dataset: { digest: string; size: number } | null }>(
      "query ($name: String!) { dataset(name: $name) { digest size } }",
      { name },
    );
    if (dataset && deletion === "acknowledged") wrong.push(`The dataset ${name} is there again.`);
    if (acknowledged && !deletion && dataset?.digest !== acknowledged.digest)
      wrong.push(`The dataset ${name} is lost.`);
    if (dataset && dataset.size !== images.length) wrong.push(`The dataset ${name} is there by half.`);
    for (const image of images) {
      const isThere = await isStored(blobsFolder, image);
      if (dataset && !isThere) wrong.push(`An image of the dataset ${name} was removed.`);
      if (deletion === "acknowledged") deleted.add(image);
      if (deletion === "acknowledged" && !isThere) removed.add(image);
    }
  }
  return {
    what: "datasets acknowledged",
    count: acknowledged(ledger.datasets),
    violations: wrong,
    note: `${deleted.size} images of deleted ones, of which ${removed.size} were removed meanwhile`,
  };
}

async function keys({ url }: Pick<Server, "url">, ledger: Ledger): Promise<string[]> {
  const wrong: string[] = [];
  for (const { name, acknowledged } of ledger.keys) {
    if (!acknowledged) continue;
    const client = new Antidote({ url, key: acknowledged.secret });
    const answer = await client.request<{ viewer: { key: string } }>("{ viewer { key } }").catch(String);
    if (typeof answer === "string" || answer.viewer.key !== name)
      wrong.push(`The key ${name} is lost: ${JSON.stringify(answer)}`);
  }
  return wrong;
}

interface Move {
  readonly from: string | null;
  readonly to: string;
  readonly reason: string | null;
}

interface AliasState {
  readonly name: string;
  readonly version: { readonly id: string };
  readonly history: readonly Move[];
}

const ALIASES = `query ($name: String!) { promptSet(name: $name) {
  aliases { name version { id } history(first: 100) { from to reason } }
} }`;

async function moves({ client }: Pick<Server, "client">, ledger: Ledger): Promise<string[]> {
  const { promptSet } = await client.request<{ promptSet: { aliases: AliasState[] } | null }>(ALIASES, {
    name: PROMPT_SET,
  });
  const aliases = promptSet?.aliases ?? [];
  const wrong = aliases.flatMap(inconsistencies);
  const told = aliases.flatMap(({ history }) => history.map(({ reason, to }) => `${reason} ${to}`));
  for (const { name, to, acknowledged } of ledger.moves) {
    const times = told.filter((move) => move === `${name} ${to}`).length;
    if (acknowledged && times === 0) wrong.push(`The alias move ${name} is lost.`);
    if (times > 1) wrong.push(`The alias move ${name} was done ${times} times.`);
  }
  return wrong;
}

/** The newest move is where the alias is; each begins where the one before it ended; the writer's are in its order. */
export function inconsistencies({ name, version, history }: AliasState): string[] {
  const wrong: string[] = [];
  if (history[0]?.to !== version.id) wrong.push(`The alias ${name} is not where its history ends.`);
  for (const [index, { from }] of history.entries())
    if (index + 1 < history.length && from !== history[index + 1].to)
      wrong.push(`The history of ${name} has a gap before move ${history.length - index}.`);
  const numbers = history.flatMap(({ reason }) =>
    reason?.startsWith("move-") ? Number(reason.slice(5)) : [],
  );
  if (numbers.some((number, index) => index > 0 && number > numbers[index - 1]))
    wrong.push(`The history of ${name} is not in the order of its moves.`);
  return wrong;
}

async function jobs({ client }: Pick<Server, "client">, ledger: Ledger, expected: Expected): Promise<Row> {
  const wrong: string[] = [];
  let resumed = 0;
  for (const entry of ledger.jobs) {
    // Asked for before it is started again under its name, which would hide that it was gone.
    if (entry.acknowledged && (await isLost(client, entry.acknowledged.id))) {
      wrong.push(`${entry.name} is lost.`);
      continue;
    }
    const { id } = await startJob(client, entry);
    if (entry.acknowledged && entry.acknowledged.id !== id) wrong.push(`${entry.name} was started twice.`);
    let state = await jobState(client, id);
    for (
      const deadline = Date.now() + JOB_LIMIT_MS;
      Date.now() < deadline;
      state = await jobState(client, id)
    ) {
      if (state.status === "FAILED" && state.failure?.code === "WORKER_LOST") {
        resumed++;
        await (await client.job(id)).resume();
      } else if (["SUCCEEDED", "FAILED", "CANCELLED"].includes(state.status)) break;
      await delay(100);
    }
    if (state.status !== "SUCCEEDED")
      wrong.push(`${entry.name} is ${state.status}: ${state.failure?.message ?? "it did not finish"}`);
    else if (outcomeOf(state) !== expected.get(inputOf(entry)))
      wrong.push(`${entry.name} has another result than undisturbed.`);
  }
  const note = `${resumed} failed with WORKER_LOST after three losses, and were resumed`;
  return { what: "jobs started", count: ledger.jobs.length, violations: wrong, note };
}

const isLost = (client: Antidote, id: string): Promise<boolean> =>
  jobState(client, id).then(
    () => false,
    (error: unknown) => {
      if (error instanceof AntidoteError && error.code === "NOT_FOUND") return true;
      throw error;
    },
  );
