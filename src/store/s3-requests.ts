import { Readable } from "node:stream";
import { AwsV4Signer } from "aws4fetch";
import { AppError } from "../errors.ts";
import { digestOfBytes, hexOf } from "./digests.ts";

/** Where a bucket is, and who asks. */
export interface S3Options {
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** The bucket in the path, as most servers other than Amazon's want it, instead of in the host's name. */
  readonly pathStyle: boolean;
  /** Every key begins with it, so that several installations can share one bucket. */
  readonly prefix: string;
  /** How long a request is tried again while the storage is away. */
  readonly patienceMilliseconds: number;
  /** Larger files are sent in parts of at least so many bytes; 64 MiB when absent. Amazon takes none below 5 MiB. */
  readonly partBytes?: number;
}

export interface S3Request {
  readonly method: "HEAD" | "GET" | "PUT" | "POST" | "DELETE";
  /** Of the object; without one the bucket itself is meant. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Beside those that every request has. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: S3Body;
  /** Whether the answer's body is read; by default those of GET and POST are. */
  readonly isRead?: boolean;
  /** How long it may stand still before it is made again; longer, by itself, for a large body. */
  readonly standstillMilliseconds?: number;
}

export interface S3Body {
  readonly bytes: number;
  /** In hexadecimal; it is signed, so the storage refuses anything else. */
  readonly sha256: string;
  /** Begins it, again for each try. */
  stream(): Readable;
}

const STANDSTILL_MILLISECONDS = 20_000;
/** A slow megabyte takes a second. */
const MILLISECONDS_PER_BYTE = 1 / 1_000;
const LONGEST_PAUSE_MILLISECONDS = 2_000;
const PASSING: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/** Requests to a bucket, signed with SigV4 and made again while the storage is away. */
export class S3Requests {
  constructor(private readonly options: S3Options) {}

  /** Answers success, and 404 for an object that may be missing; anything else fails, the storage's absence with OVERLOADED. */
  send(request: S3Request): Promise<Response> {
    return this.persist(() => this.attempt(request));
  }

  /** The same with the answer's text. */
  text(request: S3Request): Promise<string> {
    return this.persist(async () => (await this.attempt(request)).text());
  }

  /** The same in a single try. */
  async attempt(request: S3Request): Promise<Response> {
    const { method, key, isRead = method === "GET" || method === "POST" } = request;
    const response = await this.fetch(request);
    const mayBeMissing = key !== undefined && method !== "PUT" && method !== "POST";
    if (response.ok || (response.status === 404 && mayBeMissing)) {
      // A body that nobody reads would keep its connection.
      if (!response.ok || !isRead) await response.body?.cancel();
      return response;
    }
    throw refusalOf(method, response.status, await response.text().catch(() => ""));
  }

  /** Tries until it has an answer, with growing pauses; past the patience it fails with OVERLOADED. */
  async persist<Answer>(attempt: () => Promise<Answer>): Promise<Answer> {
    const began = performance.now();
    for (let pause = 50; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MILLISECONDS)) {
      try {
        return await attempt();
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (performance.now() - began > this.options.patienceMilliseconds) throw unreachable(error);
        // Half of it at random, so that many who wait do not all come back at the same moment.
        await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random() / 2)));
      }
    }
  }

  private async fetch(request: S3Request): Promise<Response> {
    const { method, body, standstillMilliseconds = STANDSTILL_MILLISECONDS } = request;
    const { accessKeyId, secretAccessKey, sessionToken, region } = this.options;
    const signer = new AwsV4Signer({
      method,
      url: this.url(request),
      headers: { ...request.headers, "x-amz-content-sha256": body?.sha256 ?? "UNSIGNED-PAYLOAD" },
      accessKeyId,
      secretAccessKey,
      sessionToken,
      region,
      service: "s3",
    });
    const { url, headers } = await signer.sign();
    const patience = Math.ceil(standstillMilliseconds + (body?.bytes ?? 0) * MILLISECONDS_PER_BYTE);
    const signal = method === "GET" ? undefined : AbortSignal.timeout(patience);
    if (!body) return fetch(url, { method, headers, signal });
    headers.set("content-length", String(body.bytes));
    const stream = Readable.toWeb(body.stream()) as ReadableStream;
    return fetch(url, { method, headers, signal, body: stream, duplex: "half" } as RequestInit);
  }

  private url({ key, query = {} }: S3Request): string {
    const { endpoint, bucket, pathStyle, prefix } = this.options;
    const url = new URL(endpoint);
    const base = url.pathname.replace(/\/$/, "");
    if (!pathStyle) url.hostname = `${bucket}.${url.hostname}`;
    url.pathname = pathStyle ? `${base}/${bucket}/` : `${base}/`;
    if (key !== undefined) url.pathname += `${prefix}/${key}`;
    // Encoded just as it is signed, for servers that compare without decoding.
    url.search = Object.entries(query)
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
      .join("&");
    return url.href;
  }
}

/** A body that is in memory already. */
export function bodyOf(text: string): S3Body {
  const bytes = Buffer.from(text);
  const sha256 = hexOf(digestOfBytes(bytes));
  return { bytes: bytes.length, sha256, stream: () => Readable.from([bytes]) };
}

/** What the storage has refused. */
export class S3Refusal extends Error {
  constructor(
    message: string,
    readonly status: number,
    /** Whether it may be otherwise in a moment. */
    readonly passing = PASSING.has(status),
  ) {
    super(message);
  }
}

/** Told in the storage's own code, where its text has one. */
export function refusalOf(method: string, status: number, text: string, passing?: boolean): S3Refusal {
  const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? "";
  return new S3Refusal(`${`The storage answered ${method} with ${status} ${code}`.trim()}.`, status, passing);
}

/** What fetch and streams throw when a connection fails or breaks off; a mistake of ours or a full disk is no such thing. */
function isPassing(error: unknown): boolean {
  if (error instanceof S3Refusal) return error.passing;
  const { name, message, cause } = error as Error & { cause?: unknown };
  return (
    name === "TimeoutError" || (name === "TypeError" && (message === "terminated" || cause !== undefined))
  );
}

function unreachable(cause: unknown): AppError {
  const message = "The object storage cannot be reached. Try again in a moment.";
  return new AppError("OVERLOADED", message, { retryAfterMs: 2_000 }, { cause });
}
