/** A process with nothing but a session, beside the server. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Device } from "../../src/engine/runtime/device.ts";
import type { BareMeasures } from "./bare-session-process.ts";

export interface BareSessionOptions {
  /** The model's folder. */
  readonly source: string;
  readonly device: Device;
  readonly threads: number;
  /** Of each measurement. */
  readonly seconds: number;
  /** Photographs. */
  readonly files: readonly string[];
}

const ENTRY = fileURLToPath(new URL("./bare-session-process.js", import.meta.url));

/** Computes only while it is asked for something. */
export class BareSession {
  private constructor(private readonly process: ChildProcess) {}

  static start({ source, device, threads, seconds, files }: BareSessionOptions): BareSession {
    return new BareSession(fork(ENTRY, [source, device, `${threads}`, `${seconds}`, ...files]));
  }

  async measure<Name extends keyof BareMeasures>(name: Name): Promise<BareMeasures[Name]> {
    const gone = new AbortController();
    const exited = once(this.process, "exit", { signal: gone.signal }).then(([code]) => {
      throw new Error(`The session beside the server ended with ${code}.`);
    });
    const answered = once(this.process, "message", { signal: gone.signal });
    this.process.send(name);
    try {
      const [value] = await Promise.race([answered, exited]);
      return value as BareMeasures[Name];
    } finally {
      gone.abort();
      await Promise.allSettled([exited, answered]);
    }
  }

  async stop(): Promise<void> {
    // One that has ended by itself has said so to whoever measured.
    if (!this.process.connected) return;
    const gone = once(this.process, "exit");
    this.process.disconnect();
    await gone;
  }
}
