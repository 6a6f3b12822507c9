import { AntidoteError, connectionLost, type ReportedError, reported } from "./errors.ts";
import { Files } from "./files.ts";
import { DEFAULT_RETRY, type RetryPolicy, retrying } from "./retry.ts";

export interface AntidoteOptions {
  /** Such as http://localhost:4000. */
  readonly url: string;
  readonly key: string;
  readonly retry?: Partial<RetryPolicy>;
  /** By default the platform's. */
  readonly fetch?: typeof globalThis.fetch;
  /** A WebSocket class; by default the platform's, or that of the package `ws`. */
  readonly webSocket?: unknown;
  /** A connection for events that is silent for so long is asked for a sign of life, and given up without one. */
  readonly keepAliveMs?: number;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
}

interface Operation {
  readonly query: string;
  readonly variables?: object;
  readonly files?: Files;
  /** Whether a second time would do no harm; by default of all but mutations. */
  readonly repeatable?: boolean;
}

interface Answer<Data> {
  readonly data?: Data | null;
  readonly errors?: readonly ReportedError[];
}

/** One server and one key. */
export class Connection {
  readonly retry: RetryPolicy;
  private readonly url: string;

  constructor(readonly options: AntidoteOptions) {
    this.retry = { ...DEFAULT_RETRY, ...options.retry };
    this.url = `${options.url.replace(/\/+$/, "")}/graphql`;
  }

  get webSocketUrl(): string {
    return this.url.replace(/^http/, "ws");
  }

  get authorization(): string {
    return `Bearer ${this.options.key}`;
  }

  /**
   * The data of a query or mutation. Fails with the first error that the server tells. Tries again after refusals that
   * did nothing, and after lost answers where a second time would do no harm.
   */
  async request<Data>(operation: Operation, { signal }: RequestOptions = {}): Promise<Data> {
    const repeatable = operation.repeatable ?? !/^\s*mutation\b/m.test(operation.query);
    return retrying(
      () => this.once<Data>(operation, signal),
      this.retry,
      (error) => error.nothingDone || (repeatable && error.retryable),
      signal,
    );
  }

  private async once<Data>(operation: Operation, signal: AbortSignal | undefined): Promise<Data> {
    const { query, variables = {}, files = new Files() } = operation;
    const { body, headers } = files.body({ query, variables });
    const { fetch = globalThis.fetch } = this.options;
    const response = await fetch(this.url, {
      method: "POST",
      headers: {
        ...headers,
        authorization: this.authorization,
        accept: "application/graphql-response+json, application/json",
      },
      body,
      signal,
    }).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw connectionLost(`${this.options.url} does not answer.`, { cause: error });
    });
    const { data, errors } = await readAnswer<Data>(response, signal);
    if (errors?.length) throw reported(errors[0]);
    if (data == null) throw notAntidote(response);
    return data;
  }
}

/** A proxy in between answers in its own words: that it cannot reach the server, or too often. */
async function readAnswer<Data>(response: Response, signal: AbortSignal | undefined): Promise<Answer<Data>> {
  const text = await response.text().catch((error: unknown) => {
    signal?.throwIfAborted();
    throw connectionLost("The answer broke off.", { cause: error });
  });
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer === "object" && answer !== null && ("data" in answer || "errors" in answer))
      return answer as Answer<Data>;
  } catch {
    // Told below by the status.
  }
  if (response.status >= 500 || response.status === 429)
    throw connectionLost(`A proxy answered with status ${response.status}.`, {
      retryAfterMs: 1000 * Number(response.headers.get("retry-after")) || undefined,
    });
  throw notAntidote(response);
}

const notAntidote = ({ status, url }: Response): AntidoteError =>
  new AntidoteError({
    code: "INVALID_ANSWER",
    message: `${url} answered with status ${status}, but not as an Antidote server does. Is the address right?`,
  });
