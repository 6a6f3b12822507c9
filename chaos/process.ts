import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

export interface ProcessOptions {
  readonly name: string;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** What it writes to its standard output once it is ready. */
  readonly ready: string;
}

const START_LIMIT_MS = 60_000;
const JOB_STARTED = /"pid":(\d+),"attempt":\d+,"msg":"a job's process started"/g;

/** Those that run; none outlives the campaign, however that ends. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A program that is killed without warning and started again. */
export class Process {
  /** Ends that nobody here asked for, in sentences. */
  readonly crashes: string[] = [];
  private child: ChildProcess | undefined;
  private job: number | undefined;

  constructor(private readonly options: ProcessOptions) {}

  get name(): string {
    return this.options.name;
  }

  /** Resolves once it is ready; fails when it ends before, or takes longer than a minute. */
  async start(): Promise<void> {
    const { command, environment, ready } = this.options;
    const child = spawn(command, [...this.options.arguments], {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    running.add(child);
    let output = "";
    let complaints = "";
    child.stderr.on("data", (chunk) => {
      complaints = (complaints + chunk).slice(-2000);
    });
    child.on("error", (error) => {
      complaints += error.message;
    });
    child.on("exit", (code, signal) => {
      running.delete(child);
      if (this.child === child)
        this.crashes.push(`${this.name} ended with ${signal ?? `code ${code}`}: ${complaints.slice(-500)}`);
    });
    let isReady = false;
    child.stdout.on("data", (chunk) => {
      output += chunk;
      isReady ||= output.includes(ready);
      for (const [, pid] of output.matchAll(JOB_STARTED)) this.job = Number(pid);
      output = output.slice(-4096);
    });
    for (const deadline = Date.now() + START_LIMIT_MS; !isReady; await delay(20))
      if (child.exitCode !== null || child.pid === undefined || Date.now() > deadline)
        throw new Error(`${this.name} did not become ready: ${complaints || output}`);
  }

  /** As a power cut does. */
  async kill(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  /** Bytes of memory that it has now (Linux only; otherwise undefined). */
  async memory(): Promise<number | undefined> {
    const status = await readFile(`/proc/${this.child?.pid}/status`, "utf8").catch(() => "");
    const found = /^VmRSS:\s+(\d+) kB/m.exec(status);
    return found ? 1024 * Number(found[1]) : undefined;
  }

  /** Kills the process of the job that it has at work; whether there was one (Linux only; otherwise there is none). */
  async killJob(): Promise<boolean> {
    const status = await readFile(`/proc/${this.job}/status`, "utf8").catch(() => "");
    const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
    if (this.job === undefined || this.child === undefined || parent !== this.child.pid) return false;
    process.kill(this.job, "SIGKILL");
    return true;
  }
}
