import { freemem } from "node:os";
import { costOf } from "../onnx/cost.ts";
import type { Tensor } from "../onnx/tensor.ts";
import type { Program } from "./program.ts";
import type { Feeds, RunOptions, Session, SessionOptions } from "./session.ts";
import { usefulThreads } from "./useful-threads.ts";
import { openWorkerSession } from "./worker-session.ts";

/** Runs that are computed beside each other. */
const ABREAST = 2;

/** How much of the memory that is free may go into the weights of sessions that only make things faster. */
const MOST_OF_MEMORY = 0.25;

type Open = typeof openWorkerSession;

/**
 * A program for runs that are sometimes alone and sometimes many. A run that is alone has all threads: it is done
 * soonest so. Runs beside each other have a share of the threads each: at every operator the threads of a run wait for
 * the last of them, so one that lost its processor to somebody else keeps all of them idle, but not those of another
 * run. The sessions for shares are opened when two runs first meet, and hold the weights once more each.
 */
export class ElasticSession implements Session {
  private underWay = 0;
  private shares: readonly Share[] | undefined;
  private opening: Promise<void> = Promise.resolve();

  private constructor(
    private readonly program: Program,
    private readonly options: SessionOptions,
    private readonly whole: Session,
    private readonly openSession: Open,
  ) {}

  /** Fails as `openWorkerSession` does. */
  static async open(
    program: Program,
    options: SessionOptions,
    open: Open = openWorkerSession,
  ): Promise<Session> {
    const { device } = options;
    const threads = device === "cpu" ? usefulThreads(program, options.threads) : options.threads;
    const whole = await open(program, { device, threads });
    const isDivisible = device === "cpu" && threads >= ABREAST;
    return isDivisible ? new ElasticSession(program, { device, threads }, whole, open) : whole;
  }

  async run(
    feeds: Feeds,
    fetches?: readonly string[],
    options?: RunOptions,
  ): Promise<Record<string, Tensor>> {
    const share = this.underWay > 0 ? this.leastBusy() : undefined;
    this.underWay++;
    if (share) share.runs++;
    try {
      return await (share?.session ?? this.whole).run(feeds, fetches, options);
    } finally {
      this.underWay--;
      if (share) share.runs--;
    }
  }

  async close(): Promise<void> {
    await this.opening;
    await Promise.all(
      [this.whole, ...(this.shares ?? []).map(({ session }) => session)].map((one) => one.close()),
    );
  }

  /** Nothing while there is none. */
  private leastBusy(): Share | undefined {
    if (this.shares === undefined) {
      this.shares = [];
      this.opening = this.openShares();
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

interface Share {
  readonly session: Session;
  /** That it was given and has not answered. */
  runs: number;
}

/** In a container what its limit leaves, where Node can tell (from 20.13 on). */
const freeBytes = (): number => process.availableMemory?.() ?? freemem();
