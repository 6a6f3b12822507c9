import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "@jest/globals";
import { compiled } from "../support/compiled.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { isAlive, until } from "../support/until.ts";
import { chainHash, eventOf, follow, Gate, startServer } from "./server.ts";

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("a job's process that is killed", () => {
  test("is replaced, and the job comes to the same result", async () => {
    const server = await startServer(temporaryFolder());
    for (const moment of [0, 20, 45]) {
      const started = server.nextProcess();
      const gate = new Gate();
      const spec = { steps: 40, every: 4, pause: 3, ...gate.at(30) };
      const { id } = await server.queue.enqueue("acme", "purify", spec);
      const pid = await started;
      if (moment > 0) {
        await eventOf(server.queue, "acme", id, (event) => event.kind === "checkpoint");
        await sleep(moment);
      }
      process.kill(pid, "SIGKILL");
      gate.open();
      const { statuses, sequence } = await follow(server.queue, "acme", id);
      const job = await server.queue.get("acme", id);
      expect(job).toMatchObject({
        status: "SUCCEEDED",
        attempts: 2,
        result: { hash: chainHash(40) },
      });
      expect(statuses.filter((status) => status === "VALIDATING")).toHaveLength(2);
      expect(sequence).toEqual(Array.from(sequence, (_, index) => index + 1));
    }
    await server.close();
  });

  test("at its own doing, again and again, fails with WORKER_LOST at the third loss", async () => {
    const server = await startServer(temporaryFolder());
    const { id } = await server.queue.enqueue("acme", "purify", {
      steps: 9,
      every: 2,
      end: { how: "die", at: 5 },
    });
    await follow(server.queue, "acme", id);
    const job = await server.queue.get("acme", id);
    expect(job).toMatchObject({ status: "FAILED", attempts: 3, losses: 3 });
    expect(job.failure).toMatchObject({ code: "WORKER_LOST", retryable: true });
    await server.close();
  });

  test("fails with WORKER_LOST, too, when it tells of headway that it never saves", async () => {
    const server = await startServer(temporaryFolder());
    const spec = { steps: 9, every: 3, end: { how: "dieUnsaved", at: 3 } };
    const { id } = await server.queue.enqueue("acme", "purify", spec);
    const { events } = await follow(server.queue, "acme", id);
    expect(events.filter(({ kind }) => kind === "checkpoint")).toHaveLength(3);
    expect(await server.queue.get("acme", id)).toMatchObject({ status: "FAILED", attempts: 3, losses: 3 });
    await server.close();
  });

  test.each([
    ["tells of it", {}],
    ["does not tell, as in a search that has no epochs", { quiet: true }],
  ])("any number of times is replaced, as long as each saves something new and %s", async (_, more) => {
    const server = await startServer(temporaryFolder());
    const spec = { steps: 24, every: 4, killedAfterCheckpoint: true, ...more };
    const { id } = await server.queue.enqueue("acme", "purify", spec);
    await follow(server.queue, "acme", id);
    const job = await server.queue.get("acme", id);
    expect(job).toMatchObject({
      status: "SUCCEEDED",
      attempts: 6,
      losses: 0,
      result: { hash: chainHash(24) },
    });
    await server.close();
  });

  test("or that leaves without a word is replaced too", async () => {
    const server = await startServer(temporaryFolder());
    const { queue } = server;
    const once = await queue.enqueue("acme", "purify", {
      steps: 9,
      every: 2,
      end: { how: "dieOnce", at: 5 },
    });
    const exits = await queue.enqueue("acme", "purify", { steps: 9, every: 2, end: { how: "exit", at: 5 } });
    await follow(queue, "acme", exits.id);
    expect((await queue.get("acme", once.id)).result).toMatchObject({ hash: chainHash(9), resumedFrom: 4 });
    expect((await queue.get("acme", exits.id)).failure?.details).toMatchObject({
      reason: "with exit code 7",
    });
    await server.close();
  });
});

describe("the server's end", () => {
  test("told to stop, it lets the process save, and the next start goes on", async () => {
    const folder = temporaryFolder();
    const first = await startServer(folder);
    const started = first.nextProcess();
    const gate = new Gate();
    const spec = { steps: 60, every: 10, pause: 5, ...gate.at(45) };
    const { id } = await first.queue.enqueue("acme", "purify", spec);
    const pid = await started;
    await eventOf(first.queue, "acme", id, (event) => event.kind === "checkpoint");
    await first.close();
    expect(isAlive(pid)).toBe(false);
    gate.open();
    const second = await startServer(folder);
    await follow(second.queue, "acme", id);
    const job = await second.queue.get("acme", id);
    expect(job).toMatchObject({ status: "SUCCEEDED", result: { hash: chainHash(60) } });
    expect(job.attempts).toBe(2);
    expect((job.result as { resumedFrom: number }).resumedFrom).toBeGreaterThanOrEqual(10);
    await second.close();
  });

  test("killed at any moment, it leaves no orphan, and the next start goes on to the same result", async () => {
    const folder = temporaryFolder();
    const waitsFor = join(temporaryFolder(), "open");
    let id: string | undefined;
    for (const moment of [0, 30, 90]) {
      const server = runServer(folder, waitsFor, id);
      const pid = await server.processId;
      id = await server.jobId;
      await sleep(moment);
      server.kill();
      await until(() => !isAlive(pid));
    }
    writeFileSync(waitsFor, "");
    const server = await startServer(folder);
    const { statuses, sequence } = await follow(server.queue, "acme", id!);
    expect(statuses.filter((status) => status === "SUCCEEDED")).toHaveLength(1);
    expect(sequence).toEqual(Array.from(sequence, (_, index) => index + 1));
    expect(await server.queue.get("acme", id!)).toMatchObject({
      status: "SUCCEEDED",
      result: { hash: chainHash(100) },
    });
    expect(await server.store.get(`results/${id}`)).toMatchObject({ revision: 1 });
    await server.close();
  });
});

/** A server in a process of its own, to be killed. It prints the job's id and its process's. */
function runServer(folder: string, waitsFor: string, id: string | undefined) {
  const child = spawn(
    process.execPath,
    [
      join(__dirname, "fixture-server.mjs"),
      compiled("src/jobs/embedded-queue").href,
      folder,
      waitsFor,
      id ?? "",
    ],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const lines = createInterface({ input: child.stdout });
  const line = (name: string) =>
    new Promise<string>((resolve) => {
      lines.on("line", (text) => text.startsWith(`${name} `) && resolve(text.slice(name.length + 1)));
    });
  return { processId: line("pid").then(Number), jobId: line("job"), kill: () => child.kill("SIGKILL") };
}
