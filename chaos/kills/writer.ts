import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Antidote, AntidoteError } from "../../client/index.ts";
import { packageRoot } from "../../src/config.ts";
import type { Random } from "../../src/engine/random.ts";
import type { Fleet } from "../fleet.ts";
import { jobState, PROMPT_SET, SEEDS, startJob } from "./jobs.ts";
import type { Entry, Ledger } from "./ledger.ts";

/** An alias shows no more than its last hundred moves. */
const MOVES_OF_ALIAS = 80;
const UNFINISHED_JOBS = 2;
const FINISHED = ["SUCCEEDED", "FAILED", "CANCELLED"];
const CREATE_KEY = `mutation ($name: String!) {
  createKey(tenant: "demo", name: $name, scopes: [CLASSIFY]) { secret userErrors { message } }
}`;

/** Of a server that was killed, or that has lost its Redis: nothing is known of what was asked. */
export const isOutage = (error: unknown): boolean =>
  error instanceof AntidoteError && (error.code === "CONNECTION_LOST" || error.retryable);

/** A client that keeps writing, one thing after the other, to whichever server it comes upon. */
export class Writer {
  readonly violations: string[] = [];
  private readonly shots = join(packageRoot, "zoo", "shots");

  constructor(
    private readonly fleet: Fleet,
    private readonly ledger: Ledger,
    private readonly versions: readonly string[],
    private readonly random: Random,
  ) {}

  async write(until: AbortSignal): Promise<void> {
    const kinds = [this.createDataset, this.createKey, this.moveAlias, this.moveAlias, this.job, this.job];
    while (!until.aborted) {
      const server = this.fleet.servers[this.random.below(this.fleet.servers.length)];
      const write = kinds[this.random.below(kinds.length)];
      try {
        await write.call(this, server.client);
      } catch (error) {
        if (!isOutage(error))
          this.violations.push(`${write.name} at ${server.process.name}: ${String(error)}`);
        await delay(50);
      }
    }
  }

  private async createDataset(client: Antidote): Promise<void> {
    const labels = (await readdir(this.shots)).sort().slice(0, 2);
    const examples = await Promise.all(
      labels.map(async (label) => {
        const files = (await readdir(join(this.shots, label))).sort();
        return { label, image: { path: join(this.shots, label, files[this.random.below(files.length)]) } };
      }),
    );
    await this.remember(this.ledger.datasets, async (name) => {
      const { dataset } = await client.createDataset(name, examples);
      return { digest: dataset.digest };
    });
  }

  private async createKey(client: Antidote): Promise<void> {
    await this.remember(this.ledger.keys, async (name) => {
      const { createKey } = await client.request<{ createKey: { secret: string } }>(CREATE_KEY, { name });
      return { secret: createKey.secret };
    });
  }

  private async moveAlias(client: Antidote): Promise<void> {
    const { moves } = this.ledger;
    const to = this.versions[this.random.below(this.versions.length)];
    const entry = {
      name: `move-${moves.length}`,
      alias: `canary-${Math.floor(moves.length / MOVES_OF_ALIAS)}`,
      to,
    };
    moves.push(entry);
    await client.moveAlias({ promptSet: PROMPT_SET, alias: entry.alias, to, reason: entry.name });
    Object.assign(entry, { acknowledged: true });
  }

  /** Starts one, unless enough are under way; asks for one that was not acknowledged once more. */
  private async job(client: Antidote): Promise<void> {
    for (const job of this.ledger.unfinished) {
      job.acknowledged ??= await startJob(client, job);
      job.finished = FINISHED.includes((await jobState(client, job.acknowledged.id)).status);
    }
    if (this.ledger.unfinished.length >= UNFINISHED_JOBS) return;
    this.ledger.jobs.push({
      name: `job-${this.ledger.jobs.length}`,
      kind: this.random.below(2) === 0 ? "audit" : "purification",
      seed: SEEDS[this.random.below(SEEDS.length)],
      finished: false,
    });
  }

  private async remember<Answer>(
    entries: Entry<Answer>[],
    ask: (name: string) => Promise<Answer>,
  ): Promise<void> {
    const entry: Entry<Answer> = { name: `chaos-${entries.length}` };
    entries.push(entry);
    entry.acknowledged = await ask(entry.name);
  }
}
