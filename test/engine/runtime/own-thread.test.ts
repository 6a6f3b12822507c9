import { readdirSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "@jest/globals";
import { WorkerPool } from "../../../src/engine/runtime/worker-pool.ts";
import { openWorkerSession } from "../../../src/engine/runtime/worker-session.ts";
import { twoOutputs } from "./programs.ts";

const THREADS = "/proc/self/task";
const threadsNamed = (name: string): string[] =>
  readdirSync(THREADS).filter((id) => readFileSync(join(THREADS, id, "comm"), "utf8").trim() === name);

// No other system tells the names, or has threads of other priorities.
const onLinux = process.platform === "linux" ? test : test.skip;

onLinux("a session's thread is named and gives way, and so do ONNX Runtime's that it starts", async () => {
  const session = await openWorkerSession(twoOutputs(), { device: "cpu", threads: 3 });
  const threads = threadsNamed("session");
  expect(threads.length).toBeGreaterThanOrEqual(3);
  for (const thread of threads) expect(getPriority(Number(thread))).toBe(Math.min(19, getPriority() + 3));
  await session.close();
});

onLinux("a pool's threads have the name of the module whose tasks they perform", async () => {
  const module = pathToFileURL(join(__dirname, "fixture-tasks.mjs"));
  const pool = new WorkerPool<{ double(input: { numbers: Float32Array }): unknown }>(module, {
    size: 2,
    capacity: 2,
  });
  await Promise.all([1, 2].map((number) => pool.run("double", { numbers: Float32Array.of(number) })));
  expect(threadsNamed("fixture-tasks")).toHaveLength(2);
  await pool.close();
});
