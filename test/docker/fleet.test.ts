import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "@jest/globals";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { digestOf, untilCheckpoint } from "../app/jobs.ts";
import { ADMIN_KEY, clientOf, PURIFY, quickPurification, ZOO } from "../app/server.ts";
import { compiled } from "../support/compiled.ts";
import { freePort } from "../support/free-port.ts";
import { missingRedis } from "../support/redis-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { readCompose, readText, type Service } from "./files.ts";

const missing =
  missingRedis ??
  (spawnSync("caddy", ["version"]).error
    ? "there is no caddy on this machine; install the package caddy to run this test"
    : undefined);
if (missing) process.stderr.write(`The test of compose.yaml's processes is skipped: ${missing}.\n`);

const INPUT = { ...quickPurification("fleet"), innerSteps: 4, epochs: 30 };

const processes: ChildProcess[] = [];
afterEach(() => {
  for (const child of processes.splice(0)) child.kill("SIGKILL");
});

/** Resolves with the process once it has written the text. */
async function start(
  command: string,
  args: readonly string[],
  until: RegExp,
  env = {},
): Promise<ChildProcess> {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    cwd: temporaryFolder(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  processes.push(child);
  let output = "";
  await new Promise<void>((resolve, reject) => {
    const hear = (chunk: unknown) => {
      output += String(chunk);
      if (until.test(output)) resolve();
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("exit", (code) => reject(new Error(`${command} ended with ${code}: ${output}`)));
  });
  return child;
}

/** A process of a service with what compose.yaml gives it; only addresses, folders and the lock are this machine's. */
interface Running {
  readonly child: ChildProcess;
  readonly url: string;
}

async function startService(service: Service, here: Readonly<Record<string, string>>): Promise<Running> {
  const variable = service.command?.[0] === "serve" ? "PORT" : "METRICS_PORT";
  const port = await freePort();
  const env = { ...service.environment, ...here, [variable]: String(port), HOST: "127.0.0.1" };
  const args = [fileURLToPath(compiled("src/main")), ...(service.command ?? [])];
  return {
    child: await start(process.execPath, args, /Device |works: /, env),
    url: `http://127.0.0.1:${port}`,
  };
}

const followers = async ({ url }: Running): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/antidote_event_streams\{of="jobs"\} (\d+)/.exec(text)?.[1] ?? 0);
};

/** All sequence numbers of a job's events, over as many connections as it takes. */
async function follow(
  url: string,
  id: string,
): Promise<{ seen: number[]; statuses: string[]; connections: number }> {
  const query =
    "subscription ($id: ID!, $after: Int!) { jobEvents(jobId: $id, afterSeq: $after) { seq ... on StatusChanged { status } } }";
  const seen: number[] = [];
  const statuses: string[] = [];
  for (let connections = 1; ; connections++) {
    const client = createClient({
      url: `${url.replace("http", "ws")}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${ADMIN_KEY}` },
      retryAttempts: 0,
    });
    try {
      for await (const { data } of client.iterate({ query, variables: { id, after: seen.at(-1) ?? 0 } })) {
        const event = (data as { jobEvents: { seq: number; status?: string } }).jobEvents;
        seen.push(event.seq);
        if (event.status) statuses.push(event.status);
        if (event.status === "SUCCEEDED") return { seen, statuses, connections };
      }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    } finally {
      await client.dispose();
    }
  }
}

(missing ? test.skip : test)(
  "compose.yaml as processes: a worker and a server killed at work; the job ends right, every event is told once",
  async () => {
    const { services } = readCompose();
    const ofCommand = (command: string) =>
      Object.values(services).filter((one) => one.command?.[0] === command);
    const [redisPort, proxyPort] = [await freePort(), await freePort()];
    const [redisProgram, ...redisArgs] = services.redis.command ?? [];
    const redisHere = ["--port", String(redisPort), "--bind", "127.0.0.1", "--dir", temporaryFolder()];
    await start(redisProgram, [...redisArgs, ...redisHere], /Ready to accept/);

    const here = {
      REDIS_URL: `redis://127.0.0.1:${redisPort}`,
      DATA_DIR: temporaryFolder(),
      MODELS_DIR: join(ZOO, "models"),
      ADMIN_KEY,
      JOB_LOCK_SECONDS: "4",
      JOB_NICENESS: "0",
    };
    const startAll = (command: string) =>
      Promise.all(ofCommand(command).map((service) => startService(service, here)));
    const [servers, workers] = await Promise.all([startAll("serve"), startAll("worker")]);

    const upstreams = servers.map(({ url }) => url.slice("http://".length)).join(" ");
    const caddyfile = readText("Caddyfile")
      .replace(/reverse_proxy .* \{/, `reverse_proxy ${upstreams} {`)
      .replace(/^:\d+ \{/m, `http://127.0.0.1:${proxyPort} {`);
    const config = join(temporaryFolder(), "Caddyfile");
    writeFileSync(config, caddyfile);
    const [caddy, ...caddyArgs] = services.proxy.command ?? [];
    const args = caddyArgs.map((arg) => (arg === "/etc/caddy/Caddyfile" ? config : arg));
    await start(caddy, args, /serving initial configuration/, { HOME: temporaryFolder() });

    const proxy = clientOf(`http://127.0.0.1:${proxyPort}`);
    for (const { url } of [...servers, ...workers])
      for (const path of ["/healthz", "/readyz", "/metrics"])
        expect((await fetch(url + path)).status).toBe(200);

    const { data } = await proxy.ask(PURIFY, { input: INPUT, key: "k" });
    const { id } = data.purify.job;
    const following = follow(`http://127.0.0.1:${proxyPort}`, id);
    await untilCheckpoint(proxy, id);
    const counts = await Promise.all(servers.map(followers));
    const [busy, other] = counts[0] > 0 ? servers : [...servers].reverse();
    busy.child.kill("SIGKILL");
    const epochs = await Promise.all(
      workers.map(({ url }) => fetch(`${url}/metrics`).then((one) => one.text())),
    );
    const working = epochs.findIndex((text) => /antidote_job_epochs_total\{kind="purify"\} [1-9]/.test(text));
    workers[working].child.kill("SIGKILL");

    const { seen, statuses, connections } = await following;
    expect(connections).toBeGreaterThan(1);
    expect(seen).toEqual(seen.map((_, index) => index + 1));
    const digest = await digestOf(proxy, id);
    expect(digest).toBe(await digestOf(clientOf(other.url), id));
    expect(digest).toMatch(/^sha256:/);
    expect(statuses.filter((status) => status === "VALIDATING")).toHaveLength(2);
    const survivor = await (await fetch(`${workers[1 - working].url}/metrics`)).text();
    expect(survivor).toMatch(/antidote_job_seconds_count\{kind="purify",outcome="succeeded"\} 1/);
  },
);
