import { entryPoint } from "./entry-point.ts";
import { overloaded, Room, type RoomBounds } from "./room.ts";
import { WorkerChannel } from "./worker-channel.ts";

export interface PoolCall {
  readonly name: string;
  readonly input: unknown;
}

/** A module of tasks: each takes plain data and gives plain data, at once or later. */
export type Tasks = Readonly<Record<string, (input: never) => unknown>>;

/** The bounds are those of the tasks that wait. */
export interface WorkerPoolOptions extends RoomBounds {
  /** Number of threads; each performs one task at a time. */
  readonly size: number;
  /**
   * How many tasks a thread is given at once, to go on with while this one is busy; 1 when absent. They count as
   * waiting, but cannot leave the queue any more.
   */
  readonly depth?: number;
}

export interface TaskOptions {
  /** Buffers of the input to hand over instead of copying; they are lost to the caller. */
  readonly transfer?: readonly ArrayBuffer[];
  /** Takes a waiting task out of the queue; one that is under way is finished and its result dropped. */
  readonly signal?: AbortSignal;
}

interface WaitingTask {
  perform(channel: WorkerChannel): Promise<void>;
}

/**
 * A few worker threads for short work such as decoding images, so that it does not hold up the event loop:
 *
 *     const pool = new WorkerPool<typeof import("./tasks.ts")>(entryPoint(import.meta.url, "tasks"), options);
 *     const pixels = await pool.run("preprocess", { bytes });
 *
 * A task's errors arrive typed. A thread that dies fails its task with WORKER_LOST and is replaced.
 */
export class WorkerPool<T extends Tasks> {
  private readonly idle: WorkerChannel[];
  private readonly channels: readonly WorkerChannel[];
  private readonly waiting = new Set<WaitingTask>();
  private readonly underWay = new Set<Promise<void>>();
  private readonly room: Room;
  private closed = false;

  /** @param module the compiled module of the tasks. */
  constructor(
    module: URL,
    private readonly options: WorkerPoolOptions,
  ) {
    const entry = entryPoint(import.meta.url, "pool-worker");
    this.channels = Array.from({ length: options.size }, () => new WorkerChannel(entry, module.href));
    this.idle = Array.from({ length: this.depth }, () => this.channels).flat();
    this.room = new Room(options, "tasks");
  }

  /** How many tasks wait for a thread. */
  get waitingTasks(): number {
    return this.waiting.size + Math.max(0, this.underWay.size - this.options.size);
  }

  private get depth(): number {
    return this.options.depth ?? 1;
  }

  private get freeThreads(): number {
    return Math.max(0, this.options.size - this.underWay.size);
  }

  /** Throws OVERLOADED, at once, when as many tasks wait as may. */
  async run<Name extends keyof T & string>(
    name: Name,
    input: Parameters<T[Name]>[0],
    { transfer, signal }: TaskOptions = {},
  ): Promise<Awaited<ReturnType<T[Name]>>> {
    signal?.throwIfAborted();
    this.assertOpen();
    this.room.assertSpace(this.waitingTasks, this.freeThreads > 0 ? 0 : 1);
    return new Promise<Awaited<ReturnType<T[Name]>>>((resolve, reject) => {
      const task: WaitingTask = {
        perform: async (channel) => {
          const call: PoolCall = { name, input };
          const begin = performance.now();
          await channel
            .call(call, transfer)
            .then((value) => resolve(value as Awaited<ReturnType<T[Name]>>), reject);
          this.room.measured(
            Math.min(this.underWay.size, this.options.size * this.depth),
            performance.now() - begin,
          );
          signal?.removeEventListener("abort", abort);
        },
      };
      const abort = () => {
        this.waiting.delete(task);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.waiting.add(task);
      this.dispatch();
    });
  }

  /** Throws OVERLOADED when so many more tasks would not be taken, or would wait too long: ask once, before the first. */
  assertRoom(count: number): void {
    this.assertOpen();
    // What finds an idle thread does not wait.
    this.room.assertTimely(this.waitingTasks, Math.max(0, count - this.freeThreads));
  }

  /** Refuses new tasks, finishes those it has, and ends the threads. */
  async close(): Promise<void> {
    this.closed = true;
    while (this.underWay.size > 0) await Promise.all(this.underWay);
    await Promise.all(this.channels.map((channel) => channel.close()));
  }

  private assertOpen(): void {
    if (this.closed) throw overloaded("The server is stopping");
  }

  private dispatch(): void {
    for (const task of this.waiting) {
      const channel = this.idle.pop();
      if (!channel) return;
      this.waiting.delete(task);
      const done = task.perform(channel).then(() => {
        this.underWay.delete(done);
        this.idle.push(channel);
        this.dispatch();
      });
      this.underWay.add(done);
    }
  }
}
