// Handlers for the tests of the queue: real work in small steps, and every way to end. Plain JavaScript, because
// the job's process loads it directly.
import { createHash } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { getPriority } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Hashes a chain of `steps` links, `every` links to a checkpoint, `pause` milliseconds a link. The result is the same
 * however often it was interrupted. With `spec.quiet` it saves without a word of it. `spec.end` chooses another end than success, or what has to be first.
 */
async function chain(spec, context) {
  if (!Number.isInteger(spec.steps)) throw await appError("BAD_USER_INPUT", "steps must be a whole number.");
  const state = context.checkpoint ? JSON.parse(Buffer.from(context.checkpoint).toString()) : { step: 0, hash: "" };
  const resumedFrom = state.step;
  while (state.step < spec.steps) {
    context.signal.throwIfAborted();
    state.hash = createHash("sha256").update(`${state.hash}${state.step}`).digest("hex");
    state.step++;
    context.report(stepReport(state, spec));
    if (state.step % spec.every === 0) {
      if (spec.end?.how === "dieUnsaved" && spec.end.at === state.step) return dieBoasting(context);
      await context.save(Buffer.from(JSON.stringify(state)));
      if (!spec.quiet) context.report({ kind: "checkpoint", epoch: state.step / spec.every });
    }
    if (spec.end) await end(spec.end, state, context);
    if (spec.killedAfterCheckpoint && isOneBeyond(state, resumedFrom, spec)) process.kill(process.pid, "SIGKILL");
    await sleep(spec.pause ?? 0);
  }
  return { hash: state.hash, resumedFrom, threads: context.threads, device: context.device, niceness: getPriority() };
}

/** Tells of a checkpoint, and is gone before it is saved. */
async function dieBoasting({ report }) {
  report({ kind: "checkpoint", epoch: 1 });
  await sleep(50);
  process.kill(process.pid, "SIGKILL");
}

/** Whether this process has come to a checkpoint of its own, and one step further. */
const isOneBeyond = ({ step }, resumedFrom, { every }) => step === resumedFrom + every + 1;

function stepReport({ step, hash }, { steps, every }) {
  return {
    kind: "step",
    phase: "chain",
    epoch: Math.ceil(step / every),
    epochs: Math.ceil(steps / every),
    step,
    steps,
    losses: [{ name: "first", value: Number.parseInt(hash.slice(0, 4), 16) }],
    imagesPerSecond: 1,
    progress: step / steps,
    etaSeconds: steps - step,
  };
}

async function end({ how, at, until }, state, context) {
  if (state.step !== at) return;
  switch (how) {
    // Goes no further before the file is there, so that a test comes in time whatever else the machine does.
    case "wait":
      while (!existsSync(until)) {
        context.signal.throwIfAborted();
        await sleep(5);
      }
      return;
    case "appError":
      throw await appError("DIVERGED", "The loss is not a number.");
    case "unexpected":
      throw new TypeError("a secret of the inside");
    case "die":
      return process.kill(process.pid, "SIGKILL");
    case "dieOnce":
      return firstTime(context) && process.kill(process.pid, "SIGKILL");
    case "exit":
      return process.exit(7);
    case "failOnce":
      if (firstTime(context)) throw await appError("DIVERGED", "The loss is not a number.");
      return;
    case "deaf":
      return sleep(60_000);
  }
}

/** Whether no attempt has been here: told outside of the job's folders, which an attempt may have for itself. */
function firstTime({ folder }) {
  const mark = join(folder, "../..", `${basename(folder).split(".")[0]}.mark`);
  if (existsSync(mark)) return false;
  writeFileSync(mark, "");
  return true;
}

async function appError(code, message) {
  const { AppError } = await import(new URL("../../dist/src/errors.js", import.meta.url).href);
  return new AppError(code, message, { at: "fixture" });
}

export const handlers = { audit: chain, purify: chain, evaluate: chain };
