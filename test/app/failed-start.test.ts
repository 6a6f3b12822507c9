import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient } from "redis";
import { startApp } from "../../src/app.ts";
import { readConfig } from "../../src/config.ts";
import { startWorker } from "../../src/worker.ts";
import { antidote } from "../commands/program.ts";
import { describeWithRedis } from "../support/redis-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { OURS, startTestServer } from "./server.ts";

let taker: Server;
let taken: string;

beforeAll(async () => {
  taker = createServer().listen(0, "127.0.0.1");
  await once(taker, "listening");
  taken = String((taker.address() as { port: number }).port);
});
afterAll(() => void taker.close());

const settings = (variables: Record<string, string>) => ({
  ...OURS,
  HOST: "127.0.0.1",
  LOG_LEVEL: "warn",
  DATA_DIR: temporaryFolder(),
  ...variables,
});
const refused = { code: "INVALID_CONFIGURATION", message: expect.stringContaining("Port ") };

test("a server that could not listen leaves its store to the next", async () => {
  const variables = settings({ PORT: taken });
  await expect(startApp(readConfig(variables))).rejects.toMatchObject(refused);
  expect(existsSync(join(variables.DATA_DIR, "store", "owner.json"))).toBe(false);
  const server = await startTestServer(variables);
  expect((await server.fetch("/readyz")).status).toBe(200);
  await server.close();
});

describeWithRedis((redis) => {
  const connections = async () => {
    const client = createClient({ url: redis().url });
    await client.connect();
    const list = await client.clientList();
    client.destroy();
    return list.length - 1;
  };

  test("a server and a worker whose ports are taken say so and end", async () => {
    const shared = settings({ REDIS_URL: redis().url });
    const [server, worker] = await Promise.all([
      antidote(["serve"], { ...shared, PORT: taken }),
      antidote(["worker"], { ...shared, METRICS_PORT: taken }),
    ]);
    expect(server).toMatchObject({
      code: 1,
      err: `Port ${taken} is taken. Stop what uses it, or set PORT to another.\n`,
    });
    expect(worker).toMatchObject({
      code: 1,
      err: `Port ${taken} may not be had. Set METRICS_PORT to another.\n`,
    });
  });

  test("what they had opened is closed", async () => {
    const shared = settings({ REDIS_URL: redis().url });
    await expect(startApp(readConfig({ ...shared, PORT: taken }))).rejects.toMatchObject(refused);
    expect(await connections()).toBe(0);
    await expect(startWorker(readConfig({ ...shared, METRICS_PORT: taken }))).rejects.toMatchObject(refused);
    expect(await connections()).toBe(0);
  });
});
