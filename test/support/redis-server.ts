import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe } from "@jest/globals";
import { freePort } from "./free-port.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Why tests that need Redis are skipped, if they are. */
export const missingRedis = spawnSync("redis-server", ["--version"]).error
  ? "there is no redis-server on this machine; install the package redis-server to run these tests"
  : undefined;

const MOST_TRIES = 5;

/** A real Redis on loopback with a folder of its own, which can be killed and started again over what it has kept. */
export class RedisServer {
  private child: ChildProcess | undefined;

  private constructor(
    private readonly folder: string,
    readonly port: number,
  ) {}

  /** Another may have taken the port that was free; then there is another port. */
  static async start(): Promise<RedisServer> {
    for (let tries = 1; ; tries++) {
      const server = new RedisServer(temporaryFolder(), await freePort());
      try {
        await server.restart();
        return server;
      } catch (error) {
        if (tries === MOST_TRIES) throw error;
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Resolves once it listens. */
  async restart(): Promise<void> {
    const settings = {
      port: String(this.port),
      bind: "127.0.0.1",
      dir: this.folder,
      save: "",
      appendonly: "yes",
      appendfsync: "always",
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    const child = spawn("redis-server", flags, { stdio: ["ignore", "pipe", "inherit"] });
    this.child = child;
    let output = "";
    await new Promise<void>((resolve, reject) => {
      child.stdout.on("data", (chunk) => {
        output += chunk;
        if (output.includes("Ready to accept")) resolve();
      });
      child.once("exit", (code) => reject(new Error(`redis-server ended with ${code}: ${output}`)));
    });
  }

  /** As a power cut does: what it had not synced is gone. */
  async kill(): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

/** Tests with a Redis of their own; without a redis-server they are skipped, and say so. */
export function describeWithRedis(body: (redis: () => RedisServer) => void): void {
  if (missingRedis !== undefined) {
    // Jest does not show the console of a file whose tests are all skipped.
    process.stderr.write(`Tests with Redis are skipped: ${missingRedis}.\n`);
    describe.skip(`with Redis: ${missingRedis}`, () => body(unavailable));
    return;
  }
  describe("with Redis", () => {
    let server: RedisServer | undefined;
    beforeAll(async () => {
      server = await RedisServer.start();
    });
    afterAll(() => server?.kill());
    body(() => server ?? unavailable());
  });
}

function unavailable(): never {
  throw new Error("Redis has not been started.");
}
