import { costOf } from "../onnx/cost.ts";
import type { Tensor } from "../onnx/tensor.ts";
import type { Program } from "../runtime/program.ts";
import { openSession, type Session, type SessionOptions, type Tensors } from "../runtime/session.ts";
import { usefulThreads } from "../runtime/useful-threads.ts";
import { openWorkerSession } from "../runtime/worker-session.ts";

/** More copies of a model than this would take more memory than they are worth. */
const MOST_LANES = 4;
/** What one more copy may take, in weights and in values. */
const COPY_BYTES = 2 ** 27;

/** Most sessions of one program side by side: one per thread on a CPU, one on a GPU. */
export const laneCount = ({ device, threads }: SessionOptions): number =>
  device === "cpu" ? Math.min(threads, MOST_LANES) : 1;

/** Whether one more copy of a program costs little memory, as that of a small model does. */
function isLight({ graph }: Program): boolean {
  const { weightBytes, peakActivationBytes } = costOf(graph);
  return weightBytes + peakActivationBytes <= COPY_BYTES;
}

/**
 * Equal sessions of one light program, side by side. Many small runs on one thread each are faster than few large ones
 * on all threads, lose less to other work on the machine, and give the same bits however many lanes there are. A heavy
 * program has one session on all threads, which its large products fill; so has one that is run once at a time, unless
 * its runs are short.
 */
export class Lanes {
  private readonly idle: Session[];
  private readonly waiting: ((session: Session) => void)[] = [];

  private constructor(private readonly sessions: readonly Session[]) {
    this.idle = [...sessions];
  }

  /** @param abreast whether several runs are asked for at once. */
  static async open(program: Program, options: SessionOptions, abreast: boolean): Promise<Lanes> {
    const count = abreast && isLight(program) ? laneCount(options) : 1;
    if (count === 1) {
      const threads = usefulThreads(program, options.threads);
      return new Lanes([await openSession(program, { ...options, threads })]);
    }
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
