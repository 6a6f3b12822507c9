/** PyTorch beside us: a Python process that makes one run when it is told to, so that both are measured in turns. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { packageRoot } from "../src/config.ts";

const SCRIPT = join(packageRoot, "bench/peers/pytorch_gradient.py");

/** Time that passed, or time that a process computed. */
export type Clock = "wall" | "cpu";

export interface PeerRun {
  /** As open_clip names it. */
  readonly model: string;
  readonly batch: number;
  /** How PyTorch keeps images and convolutions: as it makes them, or with the channels last. */
  readonly layout: "default" | "channels_last";
}

export class Peer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly lines: AsyncIterator<string>,
    private readonly reader: Interface,
    readonly version: string,
  ) {}

  /** Starts the interpreter; throws when it has no torch or no open_clip, with what it said. */
  static async start(interpreter: string, threads: number, clock: Clock): Promise<Peer> {
    const child = spawn(interpreter, [SCRIPT, `${threads}`, clock], { stdio: ["pipe", "pipe", "pipe"] });
    const complaints: Buffer[] = [];
    child.stderr.on("data", (chunk: Buffer) => complaints.push(chunk));
    const failed = new Promise<never>((_, reject) => child.on("error", reject));
    const reader = createInterface({ input: child.stdout });
    const lines = reader[Symbol.asyncIterator]();
    const first = await Promise.race([lines.next(), failed]);
    if (first.done) throw new Error(`${interpreter} cannot run the peer:\n${Buffer.concat(complaints)}`);
    const { torch, open_clip } = JSON.parse(first.value) as { torch: string; open_clip: string };
    return new Peer(child, lines, reader, `PyTorch ${torch}, open_clip ${open_clip}`);
  }

  /** Milliseconds of a forward and a backward pass. */
  async run(order: PeerRun): Promise<number> {
    this.child.stdin?.write(`${JSON.stringify(order)}\n`);
    const answer = await this.lines.next();
    if (answer.done) throw new Error("The peer ended in the middle of a benchmark.");
    return (JSON.parse(answer.value) as { milliseconds: number }).milliseconds;
  }

  close(): void {
    this.child.stdin?.end();
    this.reader.close();
  }
}
