import { type ChildProcess, fork } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { packError } from "../engine/runtime/carried-error.ts";
import { entryPoint } from "../engine/runtime/entry-point.ts";
import type { JobReport } from "./job.ts";
import type { FinalMessage, JobOrder, MessageFromChild, MessageToChild } from "./messages.ts";

/** How a job's process ended: with a last word, or without one (killed, out of memory, could not start). */
export type JobOutcome = FinalMessage | { readonly kind: "lost"; readonly reason: string };

export interface JobProcessListener {
  onReport(report: JobReport): void;
  /** Keeps the state that lies in the job's folder now; without it, that is where it stays. */
  onSaved?(): Promise<void>;
  /** A line that the process wrote to its output, for the log. */
  onOutput(line: string): void;
}

/** After its last word a process has this long to leave before it is killed. */
const FAREWELL_MILLISECONDS = 5_000;

/** The server's side of one job's child process. */
export class JobProcess {
  readonly outcome: Promise<JobOutcome>;
  private readonly child: ChildProcess;
  private killTimer: NodeJS.Timeout | undefined;

  constructor(order: JobOrder, listener: JobProcessListener) {
    this.child = fork(fileURLToPath(entryPoint(import.meta.url, "child")), {
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // One arena keeps the C allocator from holding on to memory that each thread once used.
      env: { ...process.env, MALLOC_ARENA_MAX: "1" },
    });
    this.outcome = this.follow(listener);
    for (const stream of [this.child.stdout, this.child.stderr])
      if (stream) createInterface({ input: stream }).on("line", (line) => listener.onOutput(line));
    this.tell({ kind: "start", order });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Asks the process to stop between two steps, and kills it when it has not after the grace period. */
  stop(graceMilliseconds: number): void {
    this.tell({ kind: "stop" });
    this.killAfter(graceMilliseconds);
  }

  private async keep({ onSaved }: JobProcessListener): Promise<void> {
    try {
      await onSaved?.();
      this.tell({ kind: "kept" });
    } catch (error) {
      this.tell({ kind: "kept", error: packError(error) });
    }
  }

  private tell(message: MessageToChild): void {
    // A process that is already gone is noticed by `follow`.
    if (this.child.connected) this.child.send(message, () => {});
  }

  private killAfter(milliseconds: number): void {
    clearTimeout(this.killTimer);
    this.killTimer = setTimeout(() => this.child.kill("SIGKILL"), milliseconds);
  }

  /** Resolves once the process has ended and everything that it said was heard. */
  private follow(listener: JobProcessListener): Promise<JobOutcome> {
    return new Promise((resolve) => {
      let last: FinalMessage | undefined;
      let ending: string | undefined;
      const settle = () => {
        if (ending === undefined || this.child.connected) return;
        clearTimeout(this.killTimer);
        resolve(last ?? { kind: "lost", reason: ending });
      };
      this.child.on("message", (message: MessageFromChild) => {
        if (message.kind === "report") return listener.onReport(message.report);
        if (message.kind === "saved") return void this.keep(listener);
        last = message;
        this.killAfter(FAREWELL_MILLISECONDS);
        this.child.disconnect();
      });
      this.child.on("disconnect", settle);
      this.child.on("exit", (code, signal) => {
        ending = signal ? `by ${signal}` : `with exit code ${code}`;
        settle();
      });
      this.child.on("error", (error) => {
        if (this.child.pid === undefined)
          resolve({ kind: "lost", reason: `before it began (${error.message})` });
      });
    });
  }
}
