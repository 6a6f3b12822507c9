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

/** A run and the next: a lane has not to wait until this thread, which may be busy, hands it something to do. */
const RUNS_IN_A_LANE = 2;

interface Lane {
  readonly session: Session;
  /** That it was given and has not answered. */
  runs: number;
}

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
  private readonly waiting: ((lane: Lane) => void)[] = [];

  private constructor(
    private readonly lanes: readonly Lane[],
    private readonly depth: number,
  ) {}

  /** @param abreast whether several runs are asked for at once. */
  static async open(program: Program, options: SessionOptions, abreast: boolean): Promise<Lanes> {
    const count = abreast && isLight(program) ? laneCount(options) : 1;
    if (count === 1) {
      const threads = usefulThreads(program, options.threads);
      return new Lanes([{ session: await openSession(program, { ...options, threads }), runs: 0 }], 1);
    }
    const each = { ...options, threads: Math.floor(options.threads / count) };
    const sessions = Array.from({ length: count }, () => openWorkerSession(program, each));
    return new Lanes(
      (await Promise.all(sessions)).map((session) => ({ session, runs: 0 })),
      RUNS_IN_A_LANE,
    );
  }

  /** Runs in the lane that has least to do, as soon as there is room in one. The feeds are given away. */
  async run(feeds: Tensors): Promise<Record<string, Tensor>> {
    const lane = this.enter() ?? (await new Promise<Lane>((enter) => this.waiting.push(enter)));
    try {
      return await lane.session.run(feeds, undefined, { giveFeeds: true });
    } finally {
      const next = this.waiting.shift();
      if (next) next(lane);
      else lane.runs--;
    }
  }

  private enter(): Lane | undefined {
    const lane = this.lanes.reduce((least, other) => (other.runs < least.runs ? other : least));
    if (lane.runs === this.depth) return undefined;
    lane.runs++;
    return lane;
  }

  async close(): Promise<void> {
    await Promise.all(this.lanes.map(({ session }) => session.close()));
  }
}
