import type { RedisClient, RedisConnection } from "./redis-connection.ts";

interface AppendListener {
  /** Something was appended to this stream. */
  onAppend(stream: string): void;
  /** The connection was lost for a while: something may have been appended to any stream. */
  onGap(): void;
}

const BLOCK_MILLISECONDS = 2_000;
const PAUSE_MILLISECONDS = 200;
const ENTRIES_AT_ONCE = 1_000;

/** Follows the one stream of Redis in which every commit notes the streams that it appended to. */
export class AppendLog {
  private closed = false;

  private constructor(
    private readonly connection: RedisConnection,
    private readonly key: string,
    private readonly listener: AppendListener,
    private last: string,
  ) {}

  /** Hears of every append that is made after it has resolved. It closes the connection with itself. */
  static async follow(
    connection: RedisConnection,
    key: string,
    listener: AppendListener,
  ): Promise<AppendLog> {
    const newest = await connection.run((client) => client.xRevRange(key, "+", "-", { COUNT: 1 }));
    const log = new AppendLog(connection, key, listener, newest?.[0]?.id ?? "0-0");
    void log.listen();
    return log;
  }

  close(): void {
    this.closed = true;
    this.connection.close();
  }

  private async listen(): Promise<void> {
    for (let gap = false; !this.closed; ) {
      try {
        const streams = await this.connection.once((client) => this.next(client), BLOCK_MILLISECONDS);
        if (gap) this.listener.onGap();
        gap = false;
        for (const stream of streams) this.listener.onAppend(stream);
      } catch {
        gap = true;
        if (!this.closed) await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLISECONDS));
      }
    }
  }

  /** The streams appended to since the last call; none when nothing has come for a while. */
  private async next(client: RedisClient): Promise<string[]> {
    const from = { key: this.key, id: this.last };
    const answer = await client.xRead(from, { BLOCK: BLOCK_MILLISECONDS, COUNT: ENTRIES_AT_ONCE });
    const entries = (answer as readonly { messages: readonly LogEntry[] }[] | null)?.[0]?.messages ?? [];
    this.last = entries.at(-1)?.id ?? this.last;
    return entries.map(({ message }) => message.s);
  }
}

interface LogEntry {
  readonly id: string;
  readonly message: { readonly s: string };
}
