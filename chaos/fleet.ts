import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Antidote } from "../client/index.ts";
import { freePort } from "../demo/server.ts";
import { Process } from "./process.ts";

const MAIN = fileURLToPath(new URL("../src/main.js", import.meta.url));

export interface Server {
  readonly process: Process;
  readonly url: string;
  /** Tries nothing again: who kills servers wants to know what was not answered. */
  readonly client: Antidote;
}

/** Everything that runs: one embedded server; or Redis, two servers and two workers. All on loopback. */
export interface Fleet {
  readonly servers: readonly Server[];
  /** Those that jobs run under. */
  readonly hosts: readonly Process[];
  readonly all: readonly Process[];
  readonly key: string;
  /** Where the blobs of all of them are. */
  readonly blobsFolder: string;
  crashes(): readonly string[];
  stop(): Promise<void>;
}

export async function startFleet(
  withRedis: boolean,
  settings: Readonly<Record<string, string>> = {},
): Promise<Fleet> {
  const folder = await mkdtemp(join(tmpdir(), "antidote-chaos-"));
  const key = randomBytes(24).toString("base64url");
  const shared: Record<string, string> = {
    ADMIN_KEY: key,
    DATA_DIR: join(folder, "data"),
    HOST: "127.0.0.1",
    DEVICE: "cpu",
    THREADS: "1",
    LOG_LEVEL: "info",
    RATE_LIMIT: "1000000000",
    REDIS_URL: "",
    JOB_LOCK_SECONDS: "2",
    BLOB_RETENTION_HOURS: "1",
    ...settings,
  };
  const redis = withRedis ? [await redisIn(folder, shared)] : [];
  const names = withRedis ? ["server 1", "server 2"] : ["server"];
  const servers: Server[] = [];
  for (const name of names) {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const process = program(name, "serve", "Device ", { ...shared, PORT: String(port) });
    servers.push({ process, url, client: new Antidote({ url, key, retry: { attempts: 1 } }) });
  }
  const workers = withRedis
    ? ["worker 1", "worker 2"].map((name) => program(name, "worker", " works: ", shared))
    : [];
  const all = [...redis, ...servers.map(({ process }) => process), ...workers];
  const stop = async () => {
    for (const each of all.toReversed()) await each.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    for (const each of all) await each.start();
  } catch (error) {
    await stop();
    throw error;
  }
  const hosts = withRedis ? workers : servers.map(({ process }) => process);
  const blobsFolder = join(shared.DATA_DIR, "blobs");
  return {
    servers,
    hosts,
    all,
    key,
    blobsFolder,
    crashes: () => all.flatMap(({ crashes }) => crashes),
    stop,
  };
}

const program = (name: string, command: string, ready: string, environment: Record<string, string>) =>
  new Process({ name, command: process.execPath, arguments: [MAIN, command], environment, ready });

/** One that has on disk what it has answered. */
async function redisIn(folder: string, shared: Record<string, string>): Promise<Process> {
  const port = String(await freePort());
  const dir = join(folder, "redis");
  await mkdir(dir);
  shared.REDIS_URL = `redis://127.0.0.1:${port}`;
  const settings = { port, bind: "127.0.0.1", dir, save: "", appendonly: "yes", appendfsync: "always" };
  return new Process({
    name: "Redis",
    command: "redis-server",
    arguments: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    ready: "Ready to accept",
  });
}
