/** Entry of a job's process: takes one order, runs its handler, tells the result, and waits to be let go. */
import { getPriority, setPriority } from "node:os";
import { packError, unpackError } from "../engine/runtime/carried-error.ts";
import { AppError } from "../errors.ts";
import { writeDurably } from "../store/durable-file.ts";
import { checkpointPath, prepareFolder, readCheckpoint } from "./folder.ts";
import type { JobContext, JobHandler, JobKind } from "./job.ts";
import type { FinalMessage, JobOrder, MessageFromChild, MessageToChild } from "./messages.ts";
import { StepPacer } from "./step-pacer.ts";

/** At most five steps a second reach the store. */
const STEP_INTERVAL_MILLISECONDS = 200;

type KeptMessage = Extract<MessageToChild, { kind: "kept" }>;
type Handlers = Readonly<Record<JobKind, JobHandler<unknown, unknown>>>;

const abort = new AbortController();

// The channel closes when the server lets go of this process, and also when the server dies: no orphan is left.
process.on("disconnect", () => process.exit(0));
// Ctrl-C in a terminal reaches the whole group; the server decides what becomes of its jobs.
process.on("SIGINT", () => {});
process.on("message", (message: MessageToChild) => {
  if (message.kind === "kept") settleSaved(message);
  else if (message.kind === "stop") abort.abort(new AppError("CANCELLED", "The job was told to stop."));
  else void obey(message.order).then(send);
});

/** Gives way to the process that serves. Who gives way already may not be allowed to give way less. */
function giveWay(niceness: number): void {
  if (getPriority() < niceness) setPriority(niceness);
}

async function obey(order: JobOrder): Promise<FinalMessage> {
  giveWay(order.niceness);
  const pacer = new StepPacer((report) => send({ kind: "report", report }), STEP_INTERVAL_MILLISECONDS);
  try {
    const result = await perform(order, pacer);
    pacer.flush();
    return { kind: "done", result };
  } catch (error) {
    pacer.flush();
    return abort.signal.aborted ? { kind: "stopped" } : { kind: "failed", error: packError(error) };
  }
}

async function perform(order: JobOrder, pacer: StepPacer): Promise<unknown> {
  const { handlers } = (await import(order.handlersModule)) as { handlers: Handlers };
  await prepareFolder(order.folder);
  const context: JobContext = {
    checkpoint: await readCheckpoint(order.folder),
    folder: order.folder,
    device: order.device,
    threads: order.threads,
    signal: abort.signal,
    save: async (checkpoint) => {
      await writeDurably(checkpointPath(order.folder), checkpoint);
      await kept();
    },
    report: (report) => pacer.report(report),
  };
  return handlers[order.kind](order.spec, context);
}

let settleSaved: (answer: KeptMessage) => void = () => {};

/** Asks the server to keep what was saved, and waits until it has. */
function kept(): Promise<void> {
  return new Promise((resolve, reject) => {
    settleSaved = ({ error }) => (error ? reject(unpackError(error)) : resolve());
    send({ kind: "saved" });
  });
}

function send(message: MessageFromChild): void {
  // Without a server there is nobody to work for.
  if (!process.connected) process.exit(0);
  process.send?.(message);
}
