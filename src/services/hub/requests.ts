import { setTimeout as delay } from "node:timers/promises";
import { AppError } from "../../errors.ts";
import { backoff, isTransient, retryAfter } from "./retrying.ts";

/** Where the public hub is; HF_ENDPOINT names another. */
export const PUBLIC_HUB = "https://huggingface.co";

export interface HubOptions {
  /** Such as `https://hub.example`; plain http only on this machine. */
  readonly endpoint: string;
  /** Sent to the endpoint alone, never to where it redirects. */
  readonly token?: string;
  readonly signal?: AbortSignal;
  /** Told when something has to be tried again, and when that will be. */
  readonly onRetry?: (reason: string, milliseconds: number) => void;
  /** The first wait before another try; each later one is twice as long. */
  readonly firstWait?: number;
  /** Without a byte for so long, a connection counts as lost. */
  readonly idleMilliseconds?: number;
}

const FIRST_WAIT = 500;
const IDLE = 60_000;
const MOST_REDIRECTS = 8;
const MOST_TRIES = 6;

/** Connections to a hub: redirects followed with care, and tried again where that may help. */
export class HubRequests {
  readonly endpoint: URL;

  constructor(private readonly options: HubOptions) {
    this.endpoint = checkedAddress(options.endpoint, "HF_ENDPOINT");
  }

  get hasToken(): boolean {
    return this.options.token !== undefined;
  }

  /** The same URL relative to the endpoint, which may itself have a path. */
  url(path: string): URL {
    return new URL(`${this.endpoint.href.replace(/\/$/, "")}/${path}`);
  }

  /**
   * Performs a step, again after a pause when its failure may pass: a lost connection, 429 or a server's error, at
   * most six times in a row. A step that got further says so with `advanced`, and the count starts anew. Fails with
   * DOWNLOAD_FAILED, with the step's own AppError, or with CANCELLED.
   */
  async persist<Value>(what: string, step: (advanced: () => void) => Promise<Value>): Promise<Value> {
    let tries = 0;
    const advanced = () => {
      tries = 0;
    };
    for (;;) {
      try {
        return await step(advanced);
      } catch (error) {
        this.throwIfCancelled();
        if (!isTransient(error)) throw error;
        tries++;
        if (tries >= MOST_TRIES) throw gaveUp(what, error, tries);
        const wait = error.waitMilliseconds ?? backoff(this.options.firstWait ?? FIRST_WAIT, tries);
        this.options.onRetry?.(error.message, wait);
        await delay(wait, undefined, { signal: this.options.signal }).catch(() => this.throwIfCancelled());
      }
    }
  }

  /**
   * One GET. The answer may have any status but a redirect's, 429 or 5xx, which fail as transient. Each read of the
   * body by `read` and the answer itself must come within the idle time.
   */
  async get(url: URL, headers: Readonly<Record<string, string>> = {}): Promise<HubResponse> {
    const watch = new Watch(this.options.idleMilliseconds ?? IDLE, this.options.signal);
    try {
      const response = await this.follow(url, headers, watch.signal);
      const problem = retryAfter(response);
      if (problem) throw problem;
      return new HubResponse(response, watch);
    } catch (error) {
      watch.stop();
      throw asTransient(error, url);
    }
  }

  private async follow(
    start: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response> {
    let url = start;
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const response = await fetch(url, {
        redirect: "manual",
        signal,
        headers: { ...headers, "accept-encoding": "identity", ...this.authorization(url) },
      });
      const location = response.headers.get("location");
      if (response.status < 300 || response.status > 399 || !location) return response;
      await response.body?.cancel();
      url = checkedRedirect(location, url);
    }
    throw new AppError("DOWNLOAD_FAILED", `${start.host} redirects in a circle. Try again later.`);
  }

  private authorization(url: URL): Record<string, string> {
    const { token } = this.options;
    return token && url.origin === this.endpoint.origin ? { authorization: `Bearer ${token}` } : {};
  }

  private throwIfCancelled(): void {
    if (this.options.signal?.aborted) throw new AppError("CANCELLED", "The download was stopped.");
  }
}

/** An answer whose body is read under the watch of the idle time. */
export class HubResponse {
  readonly status: number;
  readonly headers: Headers;

  constructor(
    private readonly response: Response,
    private readonly watch: Watch,
  ) {
    this.status = response.status;
    this.headers = response.headers;
  }

  /** The parts of the body as they come. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of this.response.body ?? []) {
        this.watch.seen();
        yield chunk as Uint8Array;
      }
    } catch (error) {
      throw asTransient(error, new URL(this.response.url));
    } finally {
      this.watch.stop();
    }
  }

  /** The body as JSON; undefined where it is none. At most `limit` bytes are read. */
  async json(limit = 32 * 1024 * 1024): Promise<unknown> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of this.chunks()) {
      size += chunk.length;
      if (size > limit) return undefined;
      parts.push(chunk);
    }
    try {
      return JSON.parse(Buffer.concat(parts).toString("utf8"));
    } catch {
      return undefined;
    }
  }

  /** For an answer whose body is of no interest. */
  async discard(): Promise<void> {
    this.watch.stop();
    await this.response.body?.cancel().catch(() => {});
  }
}

/** Aborts when nothing was seen for a while, or when somebody else does. */
class Watch {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private readonly abort = () => this.controller.abort();

  constructor(
    milliseconds: number,
    private readonly outer: AbortSignal | undefined,
  ) {
    this.timer = setTimeout(this.abort, milliseconds);
    if (outer?.aborted) this.abort();
    outer?.addEventListener("abort", this.abort);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  seen(): void {
    this.timer.refresh();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.outer?.removeEventListener("abort", this.abort);
  }
}

function checkedRedirect(location: string, from: URL): URL {
  const url = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (url && isSafe(url) && !(from.protocol === "https:" && url.protocol !== "https:")) return url;
  const where = url ? `${url.protocol}//${url.host}` : "no address";
  throw new AppError(
    "UNSAFE_ARTIFACT",
    `${from.host} redirects to ${where}, which is not https. Nothing is downloaded from there.`,
  );
}

function checkedAddress(text: string, name: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && isSafe(url) && !url.username && !url.search) return url;
  throw new AppError(
    "INVALID_CONFIGURATION",
    `${name} must be the https address of a hub (plain http only on this machine); it is ${JSON.stringify(text)}.`,
  );
}

const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

const isSafe = ({ protocol, hostname }: URL): boolean =>
  protocol === "https:" || (protocol === "http:" && LOOPBACK.has(hostname));

function asTransient(error: unknown, { host }: URL): unknown {
  if (error instanceof AppError || isTransient(error)) return error;
  return Object.assign(new Error(`the connection to ${host} was lost`, { cause: error }), {
    transient: true,
  });
}

function gaveUp(what: string, cause: Error, tries: number): AppError {
  return new AppError(
    "DOWNLOAD_FAILED",
    `${what} did not succeed: ${cause.message}, ${tries} times in a row. Check the network and run the same command again; what has arrived is kept.`,
    {},
    { cause },
  );
}
