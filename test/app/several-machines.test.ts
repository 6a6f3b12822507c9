import { type ChildProcess, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { probeDevice } from "../../src/engine/runtime/device.ts";
import { compiled } from "../support/compiled.ts";
import { describeWithRedis } from "../support/redis-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { digestOf, FOLLOW, untilCheckpoint } from "./jobs.ts";
import { serve, work } from "./programs.ts";
import { type Client, PURIFY, quickPurification } from "./server.ts";

/** Long enough to be killed at, short enough for a test. */
const INPUT = { ...quickPurification("shared"), innerSteps: 20, epochs: 20 };

const readyz = async (server: Client) => (await server.fetch("/readyz")).status;

describeWithRedis((redis) => {
  test("two servers and two workers, one killed at work, and Redis too: the same digest as alone", async () => {
    const alone = await serve({ DATA_DIR: temporaryFolder() });
    const undisturbed = (await alone.ask(PURIFY, { input: INPUT, key: "k" })).data.purify.job.id;
    await alone.follow(FOLLOW, { id: undisturbed });
    const expected = await digestOf(alone, undisturbed);
    alone.child.kill("SIGKILL");

    const variables = { DATA_DIR: temporaryFolder(), REDIS_URL: redis().url };
    // Both make the demo tenant and the key at the same moment.
    const [one, other] = await Promise.all([serve({ ...variables, DRAIN_SECONDS: "5" }), serve(variables)]);
    const workers = await Promise.all([work(variables), work(variables)]);
    // A GPU is looked for among the workers; a CPU every worker has.
    if (!(await probeDevice("cuda")).works) {
      const gpu = await one.ask(PURIFY, { input: { ...INPUT, device: "CUDA" }, key: "gpu" });
      const [{ code, message }] = gpu.data.purify.userErrors;
      expect([code, message]).toEqual([
        "GPU_UNAVAILABLE",
        expect.stringContaining("no worker that runs now"),
      ]);
    }
    const input = { ...INPUT, device: "CPU" };
    const { data } = await one.ask(PURIFY, { input, key: "k" });
    const { id } = data.purify.job;
    const replayed = await other.ask(PURIFY, { input, key: "k" });
    expect(replayed.data.purify).toMatchObject({ replayed: true, job: { id } });

    const events = other.follow(FOLLOW, { id });
    await Promise.race(workers.map((worker) => worker.until("a job's process started")));
    await untilCheckpoint(one, id);
    const busy = workers.find((worker) => worker.output().includes("a job's process started"));
    busy?.child.kill("SIGKILL");

    const sequence = (await events).map(({ data }) => data.jobEvents);
    expect(sequence.map(({ seq }) => seq)).toEqual(sequence.map((_, index) => index + 1));
    const statuses = sequence.flatMap(({ status }) => status ?? []);
    expect(statuses.filter((status) => status === "QUEUED")).toHaveLength(2);
    expect(statuses.at(-1)).toBe("SUCCEEDED");
    for (const server of [one, other]) expect(await digestOf(server, id)).toBe(expected);

    expect(await readyz(one)).toBe(200);
    await redis().kill();
    expect(await readyz(one)).toBe(503);
    expect((await one.fetch("/healthz")).status).toBe(200);
    expect((await one.fetch("/metrics")).status).toBe(200);
    await redis().restart();
    await until(async () => (await readyz(one)) === 200, 50);
    expect(await digestOf(other, id)).toBe(expected);

    // Told to stop, a server says that it is not ready, and answers until the balancer has seen it.
    const left = once(one.child, "exit");
    one.child.kill("SIGTERM");
    await until(async () => (await readyz(one)) === 503);
    expect(await digestOf(one, id)).toBe(expected);
    expect(await left).toEqual([0, null]);

    const survivor = workers.find((worker) => worker !== busy);
    for (const program of [other, survivor]) {
      const ended = once(program?.child as ChildProcess, "exit");
      program?.child.kill("SIGTERM");
      expect(await ended).toEqual([0, null]);
    }
  });
});

test("a worker without Redis says what it needs, and ends with code 1", () => {
  const env = { ...process.env, REDIS_URL: "", DATA_DIR: temporaryFolder() };
  const main = fileURLToPath(compiled("src/main"));
  const { status, stderr } = spawnSync(process.execPath, [main, "worker"], { env, encoding: "utf8" });
  expect(status).toBe(1);
  expect(stderr).toContain("REDIS_URL");
});
