import type { Tensor } from "../onnx/tensor.ts";
import { entryPoint } from "./entry-point.ts";
import type { EncodedProgram, Program } from "./program.ts";
import {
  encodedFor,
  type Feeds,
  type RunOptions,
  type Session,
  type SessionOptions,
  type StackedTensor,
} from "./session.ts";
import { WorkerChannel } from "./worker-channel.ts";
import { buffersIn } from "./worker-messages.ts";

export interface SessionWorkerData {
  readonly program: EncodedProgram;
  readonly options: SessionOptions;
}

export type SessionCall =
  /** Compiles, if that was not done yet. */
  | { readonly kind: "open" }
  | { readonly kind: "run"; readonly feeds: Feeds; readonly fetches?: readonly string[] }
  | { readonly kind: "close" };

/**
 * Compiles and runs a program in a worker thread of its own, so that the caller's event loop stays free. Feeds are
 * copied to it unless they are given away (a second for a gigabyte); results are handed over. When the thread dies,
 * runs fail with WORKER_LOST, and the next run compiles again in another.
 */
export async function openWorkerSession(program: Program, options: SessionOptions): Promise<Session> {
  const { device, threads, weights } = options;
  const data: SessionWorkerData = {
    program: encodedFor(program, options),
    options: { device, threads, weights },
  };
  const session = new WorkerSession(new WorkerChannel(entryPoint(import.meta.url, "session-worker"), data));
  await session.open();
  return session;
}

class WorkerSession implements Session {
  constructor(private readonly channel: WorkerChannel) {}

  async open(): Promise<void> {
    try {
      await this.call({ kind: "open" });
    } catch (error) {
      await this.channel.close();
      throw error;
    }
  }

  async run(
    feeds: Feeds,
    fetches?: readonly string[],
    { giveFeeds }: RunOptions = {},
  ): Promise<Record<string, Tensor>> {
    // A copy that is handed over is made once; a copy by the channel would be made twice.
    const given = giveFeeds ? feeds : copiesOf(feeds);
    const call: SessionCall = { kind: "run", feeds: given, fetches };
    return (await this.channel.call(call, buffersIn(given))) as Record<string, Tensor>;
  }

  async close(): Promise<void> {
    // A thread that is gone has nothing to free.
    await this.call({ kind: "close" }).catch(() => {});
    await this.channel.close();
  }

  private call(call: SessionCall): Promise<unknown> {
    return this.channel.call(call);
  }
}

function copiesOf(feeds: Feeds): Feeds {
  const copy = (feed: Tensor | StackedTensor) =>
    "parts" in feed
      ? { ...feed, parts: feed.parts.map((part) => part.slice()) }
      : { ...feed, data: feed.data.slice() };
  return Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, copy(feed)]));
}
