import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { AwsV4Signer } from "aws4fetch";
import { AppError } from "../errors.ts";
import { digestOfBytes, digestOfFile, hexOf } from "./digests.ts";

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
}

/** A request may stand still for so long before it is made again, and longer by a second for every slow megabyte. */
const STANDSTILL_MILLISECONDS = 20_000;
const MILLISECONDS_PER_BYTE = 1 / 1_000;
const LONGEST_PAUSE_MILLISECONDS = 2_000;
/** Of one request; more would need uploads in parts. */
const MOST_BYTES = 5 * 1024 ** 3;
const PASSING: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

interface Body {
  readonly bytes: number;
  /** In hexadecimal; it is signed, so the storage refuses anything else. */
  readonly sha256: string;
  /** Begins it, again for each try. */
  stream(): Readable;
}

const PROBE = Buffer.from("Antidote keeps its files here.\n");

/**
 * Objects in a bucket of S3, or of a storage that speaks like it (MinIO, Ceph, R2, Garage), over five requests: HEAD,
 * GET, PUT and DELETE of an object and ListObjectsV2 of the bucket, signed with SigV4. They go through fetch; what
 * Amazon's own client adds is not needed for them.
 */
export class S3Bucket {
  private constructor(private readonly options: S3Options) {}

  /** Fails with INVALID_CONFIGURATION when the bucket cannot be written to: a wrong address, name or key. */
  static async open(options: S3Options): Promise<S3Bucket> {
    const bucket = new S3Bucket(options);
    const sha256 = hexOf(digestOfBytes(PROBE));
    try {
      await bucket.send("PUT", "probe", {
        bytes: PROBE.length,
        sha256,
        stream: () => Readable.from([PROBE]),
      });
      return bucket;
    } catch (cause) {
      const { endpoint, bucket: name } = options;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new AppError(
        "INVALID_CONFIGURATION",
        `The bucket "${name}" at ${endpoint} cannot be written to. ${reason} Check the variables that begin with S3_.`,
        {},
        { cause },
      );
    }
  }

  async has(key: string): Promise<boolean> {
    return (await this.send("HEAD", key)).status === 200;
  }

  /** Stores a file's bytes, which have this digest; what is there already is not sent again. */
  async upload(key: string, path: string, digest: string): Promise<void> {
    const { size: bytes } = await stat(path);
    if (bytes > MOST_BYTES) throw tooLarge(path, bytes);
    if (await this.has(key)) return;
    await this.send("PUT", key, { bytes, sha256: hexOf(digest), stream: () => createReadStream(path) });
  }

  /**
   * Writes an object into a new file; false when there is none. Fails with DOWNLOAD_FAILED when its bytes do not have
   * the digest. One that breaks off on the way is asked for again.
   */
  async download(key: string, path: string, digest: string): Promise<boolean> {
    const found = await this.persist(async () => {
      const response = await this.send("GET", key);
      if (response.status === 404) return false;
      await pipeline(Readable.fromWeb(response.body as never), createWriteStream(path));
      return true;
    });
    if (found && (await digestOfFile(path)) !== digest) throw damaged(key, digest);
    return found;
  }

  async remove(key: string): Promise<void> {
    await this.send("DELETE", key);
  }

  /** All keys that begin so. They may have letters, digits and `/ . _ -`, which XML and URLs leave as they are. */
  async list(beginning: string): Promise<string[]> {
    const { prefix } = this.options;
    const query: Record<string, string> = { "list-type": "2", prefix: `${prefix}/${beginning}` };
    const keys: string[] = [];
    for (;;) {
      const page = await this.persist(async () =>
        (await this.attempt("GET", this.bucketUrl(query).href)).text(),
      );
      for (const [, key] of page.matchAll(/<Key>([^<]+)<\/Key>/g)) keys.push(key!.slice(prefix.length + 1));
      const next = /<NextContinuationToken>([^<]+)<\/NextContinuationToken>/.exec(page)?.[1];
      if (next === undefined) return keys;
      query["continuation-token"] = next;
    }
  }

  private send(method: string, key: string, body?: Body): Promise<Response> {
    return this.persist(() => this.attempt(method, this.url(key), body));
  }

  /** Answers success, and 404 where something may be missing; anything else has failed. */
  private async attempt(method: string, url: string, body?: Body): Promise<Response> {
    const response = await this.request(method, url, body);
    if (response.ok || (response.status === 404 && method !== "PUT")) {
      // A body that nobody reads would keep its connection.
      if (method !== "GET" || !response.ok) await response.body?.cancel();
      return response;
    }
    const text = await response.text().catch(() => "");
    const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? "";
    const message = `The storage answered ${method} with ${response.status} ${code}`.trim();
    throw PASSING.has(response.status) ? new Passing(`${message}.`) : new Error(`${message}.`);
  }

  private async request(method: string, address: string, body?: Body): Promise<Response> {
    const { accessKeyId, secretAccessKey, sessionToken, region } = this.options;
    const signer = new AwsV4Signer({
      method,
      url: address,
      headers: { "x-amz-content-sha256": body?.sha256 ?? "UNSIGNED-PAYLOAD" },
      accessKeyId,
      secretAccessKey,
      sessionToken,
      region,
      service: "s3",
    });
    const { url, headers } = await signer.sign();
    const patience = Math.ceil(STANDSTILL_MILLISECONDS + (body?.bytes ?? 0) * MILLISECONDS_PER_BYTE);
    const signal = method === "GET" ? undefined : AbortSignal.timeout(patience);
    if (!body) return fetch(url, { method, headers, signal });
    headers.set("content-length", String(body.bytes));
    const stream = Readable.toWeb(body.stream()) as ReadableStream;
    return fetch(url, { method, headers, signal, body: stream, duplex: "half" } as RequestInit);
  }

  private url(key: string): string {
    const url = this.bucketUrl();
    url.pathname += `${this.options.prefix}/${key}`;
    return url.href;
  }

  private bucketUrl(query: Readonly<Record<string, string>> = {}): URL {
    const { endpoint, bucket, pathStyle } = this.options;
    const url = new URL(endpoint);
    const base = url.pathname.replace(/\/$/, "");
    if (!pathStyle) url.hostname = `${bucket}.${url.hostname}`;
    url.pathname = pathStyle ? `${base}/${bucket}/` : `${base}/`;
    url.search = new URLSearchParams(query).toString();
    return url;
  }

  /** Tries until it has an answer, with growing pauses; past the patience it fails with OVERLOADED. */
  private async persist<Answer>(attempt: () => Promise<Answer>): Promise<Answer> {
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
}

/** A refusal of the moment. */
class Passing extends Error {}

/** What fetch and streams throw when a connection fails or breaks off; a mistake of ours or a full disk is no such thing. */
function isPassing(error: unknown): boolean {
  if (error instanceof Passing) return true;
  const { name, message, cause } = error as Error & { cause?: unknown };
  return (
    name === "TimeoutError" || (name === "TypeError" && (message === "terminated" || cause !== undefined))
  );
}

function unreachable(cause: unknown): AppError {
  const message = "The object storage cannot be reached. Try again in a moment.";
  return new AppError("OVERLOADED", message, { retryAfterMs: 2_000 }, { cause });
}

function damaged(key: string, digest: string): AppError {
  return new AppError(
    "DOWNLOAD_FAILED",
    `What the object storage holds under "${key}" does not have the digest ${digest}. Restore it from a backup.`,
    { key, digest },
  );
}

function tooLarge(path: string, bytes: number): AppError {
  const message = `A file of ${bytes} bytes cannot be kept in the object storage: one has at most ${MOST_BYTES}. Split its weights into shards.`;
  return new AppError("INVALID_CHECKPOINT", message, { file: path.split("/").at(-1) });
}
