import type { Tensor } from "../onnx/tensor.ts";
import type { Program } from "../runtime/program.ts";
import { openSession, type Session, type SessionOptions, type Tensors } from "../runtime/session.ts";
import { openWorkerSession } from "../runtime/worker-session.ts";

/** More copies of a large model than this would take more memory than they are worth. */
const MOST_LANES = 4;

/** Sessions of one program side by side: one per thread on a CPU, one on a GPU. */
export const laneCount = ({ device, threads }: SessionOptions): number =>
  device === "cpu" ? Math.min(threads, MOST_LANES) : 1;

/**
 * Equal sessions of one program, side by side. Many small runs on one thread each are faster than few large ones on
 * all threads, lose less to other work on the machine, and give the same bits however many lanes there are.
 */
export class Lanes {
  private readonly idle: Session[];
  private readonly waiting: ((session: Session) => void)[] = [];

  private constructor(private readonly sessions: readonly Session[]) {
    this.idle = [...sessions];
  }

  /** One lane per thread on the CPU; one lane, in this thread, on a GPU or where there is only one thread. */
  static async open(program: Program, options: SessionOptions): Promise<Lanes> {
    if (laneCount(options) === 1) return new Lanes([await openSession(program, options)]);
    const count = laneCount(options);
    const each = { ...options, threads: Math.floor(options.threads / count) };
    return new Lanes(
      await Promise.all(Array.from({ length: count }, () => openWorkerSession(program, each))),
    );
  }

  /** Runs in the first lane that is free. The feeds are given away. */
  async run(feeds: Tensors): Promise<Record<string, Tensor>> {
    const session = this.idle.pop() ?? (await new Promise<Session>((free) => this.waiting.push(free)));
    try {
      return await session.run(feeds, undefined, { giveFeeds: true });
    } finally {
      const next = this.waiting.shift();
      if (next) next(session);
      else this.idle.push(session);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.sessions.map((session) => session.close()));
  }
}
