/** A server under load, and what was seen of it. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Antidote } from "../../client/index.ts";
import { type OwnServer, startServer } from "../../demo/server.ts";
import type { Load, Outcome } from "./load.ts";
import { type ProcessorTime, threadsOf, timeBetween } from "./processor-time.ts";

export const CLASSIFY = /* GraphQL */ `
  query Classify($input: ClassifyInput!) {
    classify(input: $input) {
      served { digest }
      results {
        ... on Prediction { labels { label probability } disagreement }
        ... on ImageRejected { code message }
      }
    }
  }
`;

/** How calls fared; times in milliseconds from when each was to be sent. */
export interface Report {
  /** Answers, in the time that counts. */
  readonly perSecond: number;
  readonly median: number;
  readonly p99: number;
  readonly shed: number;
  readonly shedP99: number;
  readonly calls: number;
  readonly failed: number;
  readonly outcome: Outcome;
  /** Of the server's event loop, in milliseconds. */
  readonly loopP99: number;
  /** Of the server for a call; absent where the system does not tell. */
  readonly processor?: ProcessorTime;
}

export interface Pressure {
  readonly bodies: readonly string[];
  /** Calls a second. */
  readonly rate: number;
  readonly seconds: number;
  readonly connections?: number;
  /** Random when absent. */
  readonly gaps?: Load["gaps"];
}

const GENERATOR = fileURLToPath(new URL("./generator.js", import.meta.url));
const WARM_UP_SECONDS = 2;

export class Subject {
  readonly antidote: Antidote;

  private constructor(
    private readonly server: OwnServer,
    private readonly folder: string,
  ) {
    this.antidote = new Antidote(server);
  }

  /** With nothing kept of embeddings, so that every image is computed. */
  static async start(settings: Readonly<Record<string, string>>): Promise<Subject> {
    const server = await startServer({
      HOST: "127.0.0.1",
      EMBEDDING_CACHE_MB: "0",
      RATE_LIMIT: "1000000000",
      ...settings,
    });
    return new Subject(server, await mkdtemp(join(tmpdir(), "antidote-load-")));
  }

  /** Calls as JSON, each with one of the images. */
  bodies(images: readonly Buffer[], input: object): string[] {
    return images.map((image) =>
      JSON.stringify({
        query: CLASSIFY,
        variables: { input: { topK: 3, ...input, images: [{ base64: image.toString("base64") }] } },
      }),
    );
  }

  /** Sends the load from a process of its own. */
  async load({ bodies, rate, seconds, connections = 256, gaps = "random" }: Pressure): Promise<Report> {
    const { hostname, port } = new URL(this.server.url);
    const load: Load = {
      host: hostname,
      port: Number(port),
      key: this.server.key,
      bodies,
      rate,
      gaps,
      seconds,
      warmUpSeconds: WARM_UP_SECONDS,
      connections,
      seed: 1,
    };
    const path = join(this.folder, "load.json");
    await writeFile(path, JSON.stringify(load));
    await this.loopDelay();
    const before = await threadsOf(this.server.pid);
    const { stdout } = await promisify(execFile)(process.execPath, [GENERATOR, path], { maxBuffer: 2 ** 30 });
    const after = await threadsOf(this.server.pid);
    const outcome = JSON.parse(stdout) as Outcome;
    if (outcome.failed > 0) process.stderr.write(`A call failed: ${outcome.firstFailure}\n`);
    const calls = (outcome.calls * (seconds + WARM_UP_SECONDS)) / seconds;
    return {
      ...figures(outcome),
      loopP99: await this.loopDelay(),
      processor: before && after && perCall(timeBetween(before, after), calls),
    };
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The 99th percentile of the event loop's delay since it was last asked, in milliseconds. */
  private async loopDelay(): Promise<number> {
    const page = await (await fetch(`${this.server.url}/metrics`)).text();
    return (
      1000 *
      Number(/antidote_event_loop_delay_seconds\{quantile="0.99"\} (\S+)/.exec(page)?.[1] ?? Number.NaN)
    );
  }
}

const perCall = ({ serving, model, images, others }: ProcessorTime, calls: number): ProcessorTime => ({
  serving: serving / calls,
  model: model / calls,
  images: images / calls,
  others: others / calls,
});

function figures(outcome: Outcome): Omit<Report, "loopP99"> {
  const { answered, shed, failed, calls, seconds, answersWithin } = outcome;
  return {
    perSecond: answersWithin / seconds,
    median: quantile(answered, 0.5),
    p99: quantile(answered, 0.99),
    shed: shed.length,
    shedP99: quantile(shed, 0.99),
    calls,
    failed,
    outcome,
  };
}

/** The calls of several loads as those of one. */
export function pooled(reports: readonly Report[]): Report {
  const outcomes = reports.map(({ outcome }) => outcome);
  const sorted = (of: (outcome: Outcome) => readonly number[]) => outcomes.flatMap(of).sort((a, b) => a - b);
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, one) => total + of(one), 0);
  const outcome = {
    answered: sorted(({ answered }) => answered),
    shed: sorted(({ shed }) => shed),
    failed: sum(({ failed }) => failed),
    calls: sum(({ calls }) => calls),
    seconds: sum(({ seconds }) => seconds),
    answersWithin: sum(({ answersWithin }) => answersWithin),
  };
  return { ...figures(outcome), loopP99: Math.max(...reports.map(({ loopP99 }) => loopP99)) };
}

export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
