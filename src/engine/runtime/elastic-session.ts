import { freemem } from "node:os";
import { costOf } from "../onnx/cost.ts";
import type { Tensor } from "../onnx/tensor.ts";
import type { Program } from "./program.ts";
import type { Feeds, RunOptions, Session, SessionOptions } from "./session.ts";
import { usefulThreads } from "./useful-threads.ts";
import { openWorkerSession } from "./worker-session.ts";

/** Runs that are computed beside each other. */
const ABREAST = 2;

/** After so long without need the sessions for shares give their memory back. */
const IDLE_MILLISECONDS = 600_000;

/** How much of the memory that is free may go into the weights of sessions that only make things faster. */
const MOST_OF_MEMORY = 0.25;

type Open = typeof openWorkerSession;

/**
 * A program for runs that are sometimes alone and sometimes many. A run that is alone has all threads: it is done
 * soonest so. Runs beside each other have a share of the threads each: at every operator the threads of a run wait for
 * the last of them, so one that lost its processor to somebody else keeps all of them idle, but not those of another
 * run. The sessions for shares are opened when two runs meet, hold the weights once more each, and are closed when runs
 * have not met for a while.
 */
export class ElasticSession implements Session {
  private underWay = 0;
  private shares: readonly Share[] | undefined;
  /** The opening or closing of shares that is under way. */
  private change: Promise<void> = Promise.resolve();
  private idle: NodeJS.Timeout | undefined;

  private constructor(
    private readonly program: Program,
    private readonly options: SessionOptions,
    private readonly whole: Session,
    private readonly openSession: Open,
    private readonly idleMilliseconds: number,
  ) {}

  /** Fails as `openWorkerSession` does. */
  static async open(
    program: Program,
    options: SessionOptions,
    { open = openWorkerSession, idleMilliseconds = IDLE_MILLISECONDS }: ElasticOptions = {},
  ): Promise<Session> {
    const { device, weights } = options;
    const threads = device === "cpu" ? usefulThreads(program, options.threads) : options.threads;
    const own = { device, threads, weights };
    const whole = await open(program, own);
    const isDivisible = device === "cpu" && threads >= ABREAST;
    return isDivisible ? new ElasticSession(program, own, whole, open, idleMilliseconds) : whole;
  }

  async run(
    feeds: Feeds,
    fetches?: readonly string[],
    options?: RunOptions,
  ): Promise<Record<string, Tensor>> {
    const share = this.underWay > 0 ? this.leastBusy() : undefined;
    this.underWay++;
    if (share) {
      clearTimeout(this.idle);
      share.runs++;
    }
    try {
      return await (share?.session ?? this.whole).run(feeds, fetches, options);
    } finally {
      this.underWay--;
      if (share) {
        share.runs--;
        clearTimeout(this.idle);
        this.idle = setTimeout(() => this.closeIdle(), this.idleMilliseconds).unref();
      }
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.idle);
    await this.change;
    await Promise.all([this.whole.close(), closeAll(this.shares ?? [])]);
  }

  private closeIdle(): void {
    const { shares } = this;
    if (!shares || shares.some(({ runs }) => runs > 0)) return;
    this.shares = undefined;
    this.change = closeAll(shares);
  }

  /** Nothing while there is none. */
  private leastBusy(): Share | undefined {
    if (this.shares === undefined) {
      this.shares = [];
      this.change = this.change.then(() => this.openShares());
    }
    return this.shares.toSorted((a, b) => a.runs - b.runs)[0];
  }

  /** Where there is no memory for them, all runs go on as those that are alone. */
  private async openShares(): Promise<void> {
    const { weightBytes } = costOf(this.program.graph);
    if (ABREAST * weightBytes > MOST_OF_MEMORY * freeBytes()) return;
    const each = { ...this.options, threads: Math.floor(this.options.threads / ABREAST) };
    const opened = await Promise.allSettled(
      Array.from({ length: ABREAST }, () => this.openSession(this.program, each)),
    );
    const sessions = opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    if (sessions.length === ABREAST) this.shares = sessions.map((session) => ({ session, runs: 0 }));
    else await Promise.all(sessions.map((session) => session.close()));
  }
}

/** What a test gives otherwise. */
interface ElasticOptions {
  readonly open?: Open;
  readonly idleMilliseconds?: number;
}

const closeAll = async (shares: readonly Share[]): Promise<void> => {
  await Promise.all(shares.map(({ session }) => session.close()));
};

interface Share {
  readonly session: Session;
  /** That it was given and has not answered. */
  runs: number;
}

/** In a container what its limit leaves, where Node can tell (from 20.13 on). */
const freeBytes = (): number => process.availableMemory?.() ?? freemem();
