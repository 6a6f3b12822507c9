import { ClientOfflineError, createClient, ErrorReply } from "redis";
import { AppError } from "../errors.ts";

export type RedisClient = ReturnType<typeof newClient>;

export interface RedisConnectionOptions {
  /** `redis://` or `rediss://`, with user, password and database where they are needed. */
  readonly url: string;
  /** How long a command is tried again while Redis cannot be reached, before it fails. */
  readonly patienceMilliseconds: number;
  /** A command without an answer for so long has met a dead connection, which is then made anew. */
  readonly replyMilliseconds?: number;
  /** Told when the connection is lost, and when it is there again. */
  readonly onChange?: (change: { readonly connected: boolean; readonly reason?: string }) => void;
}

const REPLY_MILLISECONDS = 5_000;
const CHECK_MILLISECONDS = 1_000;
const SHORTEST_PAUSE = 25;
const LONGEST_PAUSE = 1_000;

/** What a Redis that is starting, failing over or short of replicas answers for a while. */
const PASSING = /^(LOADING|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|BUSY) /;

/**
 * A connection to Redis that outlives restarts and network cuts: it is made again with growing pauses, and `run`
 * tries again meanwhile. What it runs may therefore reach Redis more than once, and has to bear that.
 */
export class RedisConnection {
  private client: RedisClient;
  private connected = false;
  private closed = false;
  private trouble: string | undefined;
  /** When the client last did something to connect. */
  private lastSign = 0;

  private constructor(private readonly options: RedisConnectionOptions) {
    this.client = this.connect();
  }

  /** Fails with INVALID_CONFIGURATION when Redis does not answer within the patience. */
  static async open(options: RedisConnectionOptions): Promise<RedisConnection> {
    const connection = new RedisConnection(options);
    try {
      await connection.run((client) => client.ping());
      return connection;
    } catch (error) {
      connection.close();
      throw new AppError(
        "INVALID_CONFIGURATION",
        `Redis at ${addressOf(options.url)} does not answer (${connection.trouble ?? (error as Error).message}). Start it, or correct REDIS_URL.`,
        {},
        { cause: error },
      );
    }
  }

  /**
   * Runs a command until it is answered. Fails with OVERLOADED when Redis cannot be reached within the patience; of one
   * that writes, the details have `outcome: "unknown"` where it may have reached Redis all the same.
   */
  async run<Answer>(
    command: (client: RedisClient) => Promise<Answer>,
    { writes = false } = {},
  ): Promise<Answer> {
    const start = performance.now();
    let mayBeDone = false;
    for (let pause = SHORTEST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      try {
        return await this.once(command);
      } catch (error) {
        if (this.closed || !isOutage(error)) throw error;
        mayBeDone ||= writes && !wasRefused(error);
        if (performance.now() - start + pause > this.options.patienceMilliseconds)
          throw unreachable(error, mayBeDone);
        await sleep(pause);
      }
    }
  }

  /** Runs a command once. @param blockMilliseconds how long Redis may wait before it answers. */
  async once<Answer>(
    command: (client: RedisClient) => Promise<Answer>,
    blockMilliseconds = 0,
  ): Promise<Answer> {
    const { client } = this;
    try {
      return await within(this.replyMilliseconds + blockMilliseconds, command(client));
    } catch (error) {
      if (error instanceof NoReply || this.hangs()) this.renew(client);
      throw error;
    }
  }

  /** Fails with OVERLOADED unless Redis answers now. */
  async check(): Promise<void> {
    try {
      await within(
        CHECK_MILLISECONDS,
        this.once((client) => client.ping()),
      );
    } catch (error) {
      throw unreachable(error);
    }
  }

  /** Another connection to the same Redis. */
  duplicate(): RedisConnection {
    return new RedisConnection({ ...this.options, onChange: undefined });
  }

  /** Commands that wait for an answer fail. */
  close(): void {
    this.closed = true;
    discard(this.client);
  }

  /** Unless it has been replaced already. */
  private renew(client: RedisClient): void {
    if (this.closed || client !== this.client) return;
    this.lost("it did not answer any more");
    discard(client);
    this.client = this.connect();
  }

  /** A handshake has no time limit of its own. */
  private hangs(): boolean {
    return !this.connected && performance.now() - this.lastSign > this.replyMilliseconds;
  }

  private get replyMilliseconds(): number {
    return this.options.replyMilliseconds ?? REPLY_MILLISECONDS;
  }

  private connect(): RedisClient {
    const client = newClient(this.options.url);
    const sign = () => {
      this.lastSign = performance.now();
    };
    sign();
    client.on("connect", sign);
    client.on("reconnecting", sign);
    client.on("error", (error: Error) => this.lost(error.message || error.name));
    client.on("ready", () => this.found());
    // It goes on trying by itself; whoever needs it meets the error of their own command.
    client.connect().catch(() => {});
    return client;
  }

  private found(): void {
    if (!this.connected && this.trouble !== undefined) this.options.onChange?.({ connected: true });
    this.connected = true;
  }

  private lost(reason: string): void {
    this.trouble = reason;
    if (this.connected && !this.closed) this.options.onChange?.({ connected: false, reason });
    this.connected = false;
  }
}

/** A client that connects again by itself; a command while it is not connected fails at once. */
export function newClient(url: string) {
  const reconnectStrategy = (retries: number) => Math.min(SHORTEST_PAUSE * 2 ** retries, LONGEST_PAUSE);
  return createClient({
    url,
    disableOfflineQueue: true,
    socket: { reconnectStrategy, connectTimeout: REPLY_MILLISECONDS },
  });
}

/** Where Redis is, without the password. */
export function addressOf(url: string): string {
  const { host, pathname } = new URL(url);
  return host + pathname.replace(/\/$/, "");
}

/** Whether the error is of the connection or of a Redis that is not ready, so that trying again may help. */
function isOutage(error: unknown): boolean {
  if (error instanceof ErrorReply) return PASSING.test(error.message);
  return !(error instanceof TypeError || error instanceof AppError);
}

/** Whether it is known of a command that failed that it was not carried out. */
const wasRefused = (error: unknown): boolean =>
  error instanceof ErrorReply || error instanceof ClientOfflineError;

function unreachable(cause: unknown, mayBeDone = false): AppError {
  const details = { retryAfterMs: 2_000, ...(mayBeDone ? { outcome: "unknown" } : {}) };
  return new AppError("OVERLOADED", "The store cannot be reached. Try again in a moment.", details, {
    cause,
  });
}

class NoReply extends Error {}

function within<Answer>(milliseconds: number, answer: Promise<Answer>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new NoReply(`No reply within ${milliseconds} milliseconds.`)),
      milliseconds,
    );
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function discard(client: RedisClient): void {
  client.removeAllListeners();
  client.on("error", () => {});
  client.destroy();
}

/** Half of the pause at random, so that many who wait do not all come back at the same moment. */
function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds * (0.5 + Math.random() / 2)));
}
