import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Antidote, AntidoteError } from "../../client/index.ts";
import { packageRoot } from "../../src/config.ts";
import type { Random } from "../../src/engine/random.ts";
import type { Fleet } from "../fleet.ts";
import { jobState, PROMPT_SET, SEEDS, startJob } from "./jobs.ts";
import type { DatasetEntry, Entry, Ledger } from "./ledger.ts";

/** An alias shows no more than its last hundred moves. */
const MOVES_OF_ALIAS = 80;
const UNFINISHED_JOBS = 2;
const FINISHED = ["SUCCEEDED", "FAILED", "CANCELLED"];
const CREATE_KEY = `mutation ($name: String!) {
  createKey(tenant: "demo", name: $name, scopes: [CLASSIFY]) { secret userErrors { message } }
}`;

const DELETE_DATASET = `mutation ($id: ID!) { deleteDataset(datasetId: $id) { userErrors { code } } }`;

interface Deletion {
  readonly deleteDataset: { readonly userErrors: readonly { readonly code: string }[] };
}

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
    const { createDataset, deleteDataset, createKey, moveAlias, job } = this;
    const kinds = [createDataset, createDataset, deleteDataset, createKey, moveAlias, moveAlias, job, job];
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
    const name = `chaos-${this.ledger.datasets.length}`;
    const labels = (await readdir(this.shots)).sort().slice(0, 2);
    const examples = await Promise.all(
      labels.map(async (label) => {
        const files = (await readdir(join(this.shots, label))).sort();
        const picture = await readFile(join(this.shots, label, files[this.random.below(files.length)]));
        // What comes after a picture's end is ignored, and makes its bytes this dataset's own.
        return { label, image: Buffer.concat([picture, Buffer.from(name)]) };
      }),
    );
    const images = examples.map(({ image }) => createHash("sha256").update(image).digest("hex"));
    const entry: DatasetEntry = { name, images };
    this.ledger.datasets.push(entry);
    const { dataset } = await client.createDataset(name, examples);
    entry.acknowledged = { digest: dataset.digest };
  }

  /** One that is certainly there, or that was asked to be deleted before. */
  private async deleteDataset(client: Antidote): Promise<void> {
    const known = this.ledger.datasets.filter((one) => one.acknowledged && one.deletion !== "acknowledged");
    if (known.length === 0) return;
    const entry = known[this.random.below(known.length)];
    const again = entry.deletion === "asked";
    entry.deletion = "asked";
    const { deleteDataset } = await client.request<Deletion>(DELETE_DATASET, { id: `dataset_${entry.name}` });
    const codes = deleteDataset.userErrors.map(({ code }) => code);
    if (codes.length > 0 && !(again && codes[0] === "NOT_FOUND"))
      throw new Error(`${entry.name} is not deleted: ${codes}`);
    entry.deletion = "acknowledged";
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
