/**
 * What a worker thread costs and saves: time of a tiny run in this thread and in a worker, of carrying a large batch
 * to a worker and back, and the longest pause of this thread's event loop while a long run is made.
 *
 *     npm run build && node dist/bench/worker-session.js
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { GraphBuilder } from "../src/engine/onnx/builder.ts";
import { float32, type Tensor } from "../src/engine/onnx/tensor.ts";
import type { Program } from "../src/engine/runtime/program.ts";
import { openSession, type Session } from "../src/engine/runtime/session.ts";
import { openWorkerSession } from "../src/engine/runtime/worker-session.ts";

const OPTIONS = { device: "cpu", threads: 1 } as const;

/** x + 1. */
function tiny(shape: readonly number[]): Program {
  const g = new GraphBuilder({ name: "tiny" });
  g.output(g.add(g.input("x", shape), 1), "y");
  return { graph: g.build(), folder: "." };
}

/** Some hundred milliseconds of matrix products. */
function long(): Program {
  const g = new GraphBuilder({ name: "long" });
  let wire = g.input("x", [1024, 1024]);
  for (let product = 0; product < 12; product++) wire = g.tanh(g.matmul(wire, wire));
  g.output(wire, "y");
  return { graph: g.build(), folder: "." };
}

/** Milliseconds of one run, the average of `runs`. */
async function time(session: Session, x: Tensor, runs: number): Promise<number> {
  for (let warmUp = 0; warmUp < runs / 4; warmUp++) await session.run({ x });
  const begin = performance.now();
  for (let run = 0; run < runs; run++) await session.run({ x });
  return (performance.now() - begin) / runs;
}

/** The longest pause of this thread's event loop during one run, and the run itself, in milliseconds. */
async function pause(session: Session, x: Tensor): Promise<{ run: number; pause: number }> {
  await session.run({ x });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const begin = performance.now();
  await session.run({ x });
  const run = performance.now() - begin;
  // One more turn, so that a pause that has just ended is seen.
  await new Promise((resolve) => setTimeout(resolve, 5));
  delay.disable();
  return { run, pause: delay.max / 1e6 };
}

async function both<Result>(program: Program, measure: (session: Session) => Promise<Result>) {
  const direct = await openSession(program, OPTIONS);
  const worker = await openWorkerSession(program, OPTIONS);
  const result = { direct: await measure(direct), worker: await measure(worker) };
  await Promise.all([direct.close(), worker.close()]);
  return result;
}

const batch = [64, 3, 224, 224];
const result = {
  tinyRunMilliseconds: await both(tiny([4]), (session) => time(session, float32([4]), 4000)),
  batchOf64At224Milliseconds: await both(tiny(batch), (session) => time(session, float32(batch), 12)),
  longRunMilliseconds: await both(long(), (session) => pause(session, float32([1024, 1024]))),
};
console.log(JSON.stringify(result));
