import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { AppError } from "../errors.ts";
import { digestOfFile, hexOf } from "./digests.ts";
import { uploadInParts } from "./s3-parts.ts";
import { bodyOf, refusalOf, type S3Options, S3Refusal, S3Requests } from "./s3-requests.ts";

/** What a list of the bucket tells of an object. */
export interface S3Object {
  readonly key: string;
  readonly bytes: number;
  readonly modified: Date;
}

const PART_BYTES = 64 * 1024 ** 2;
/** Of one object. */
const MOST_BYTES = 5 * 1024 ** 4;
/** A copy is acknowledged when it is made. */
const COPY_MILLISECONDS = 60_000;

/**
 * Objects in a bucket of S3, or of a storage that speaks like it (MinIO, Ceph, R2, Garage), over HEAD, GET, PUT and
 * DELETE of an object, its copying, ListObjectsV2 of the bucket, and uploads in parts. The requests go through fetch; what Amazon's
 * own client adds is not needed for them.
 */
export class S3Bucket {
  private readonly requests: S3Requests;

  private constructor(private readonly options: S3Options) {
    this.requests = new S3Requests(options);
  }

  /** Fails with INVALID_CONFIGURATION when the bucket cannot be written to: a wrong address, name or key. */
  static async open(options: S3Options): Promise<S3Bucket> {
    const bucket = new S3Bucket(options);
    try {
      await bucket.write("probe", "Antidote keeps its files here.\n");
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
    return (await this.modified(key)) !== undefined;
  }

  /** When an object was written, to the second; undefined where there is none. */
  async modified(key: string): Promise<Date | undefined> {
    const { status, headers } = await this.requests.send({ method: "HEAD", key });
    return status === 200 ? new Date(headers.get("last-modified") ?? Number.NaN) : undefined;
  }

  /** Writes a few words. */
  async write(key: string, text: string): Promise<void> {
    await this.requests.send({ method: "PUT", key, body: bodyOf(text) });
  }

  /** Copies an object within the storage, which takes one of at most 5 GB; false when there is none. */
  async copy(from: string, to: string): Promise<boolean> {
    const { bucket, prefix } = this.options;
    const headers = { "x-amz-copy-source": `/${bucket}/${prefix}/${from}` };
    const request = { method: "PUT", key: to, headers, isRead: true } as const;
    try {
      await this.requests.persist(async () => {
        const response = await this.requests.attempt({
          ...request,
          standstillMilliseconds: COPY_MILLISECONDS,
        });
        const answer = await response.text();
        // A storage that takes long says 200 at first, and how it went at the end.
        if (answer.includes("<Error>")) throw refusalOf("PUT", response.status, answer, true);
      });
      return true;
    } catch (error) {
      if (error instanceof S3Refusal && error.status === 404) return false;
      throw error;
    }
  }

  /** The first byte of an object; undefined where there is none. */
  async firstByte(key: string): Promise<number | undefined> {
    try {
      return await this.requests.persist(async () => {
        const response = await this.requests.attempt({ method: "GET", key, headers: { range: "bytes=0-0" } });
        return response.status === 404 ? undefined : new Uint8Array(await response.arrayBuffer())[0];
      });
    } catch (error) {
      // An empty object has no such range.
      if (error instanceof S3Refusal && error.status === 416) return undefined;
      throw error;
    }
  }

  /** Stores a file's bytes, which have this digest; what is there already is not sent again. Large ones go in parts. */
  async upload(key: string, path: string, digest: string): Promise<void> {
    const { partBytes = PART_BYTES } = this.options;
    const { size: bytes } = await stat(path);
    if (bytes > MOST_BYTES) throw tooLarge(path, bytes);
    if (await this.has(key)) return;
    if (bytes > partBytes) return uploadInParts(this.requests, key, { path, bytes, digest }, partBytes);
    const body = { bytes, sha256: hexOf(digest), stream: () => createReadStream(path) };
    await this.requests.send({ method: "PUT", key, body });
  }

  /**
   * Writes an object into a new file; false when there is none. Fails with DOWNLOAD_FAILED when its bytes do not have
   * the digest. One that breaks off on the way is asked for again.
   */
  async download(key: string, path: string, digest: string): Promise<boolean> {
    const found = await this.requests.persist(async () => {
      const response = await this.requests.attempt({ method: "GET", key });
      if (response.status === 404) return false;
      await pipeline(Readable.fromWeb(response.body as never), createWriteStream(path));
      return true;
    });
    if (found && (await digestOfFile(path)) !== digest) throw damaged(key, digest);
    return found;
  }

  async remove(key: string): Promise<void> {
    await this.requests.send({ method: "DELETE", key });
  }

  /** All keys that begin so. They may have letters, digits and `/ . _ -`, which XML and URLs leave as they are. */
  async list(beginning: string): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.objects(beginning)) keys.push(key);
    return keys;
  }

  /** The same with what is told of each, page by page. */
  async *objects(beginning: string): AsyncGenerator<S3Object, void> {
    const query = { "list-type": "2", prefix: `${this.options.prefix}/${beginning}` };
    for await (const page of this.pages(query, { "continuation-token": "NextContinuationToken" }))
      for (const [object] of page.matchAll(/<Contents>.*?<\/Contents>/gs))
        yield {
          key: this.withoutPrefix(elementOf(object, "Key")),
          bytes: Number(elementOf(object, "Size")),
          modified: new Date(elementOf(object, "LastModified")),
        };
  }

  /** Gives up uploads in parts that have begun before that instant: whoever has begun them was killed. */
  async abortUploads(before: Date): Promise<void> {
    const query = { uploads: "", prefix: `${this.options.prefix}/` };
    const markers = { "key-marker": "NextKeyMarker", "upload-id-marker": "NextUploadIdMarker" };
    for await (const page of this.pages(query, markers))
      for (const [upload] of page.matchAll(/<Upload>.*?<\/Upload>/gs)) {
        if (new Date(elementOf(upload, "Initiated")) >= before) continue;
        const [key, uploadId] = [this.withoutPrefix(elementOf(upload, "Key")), elementOf(upload, "UploadId")];
        await this.requests.send({ method: "DELETE", key, query: { uploadId } });
      }
  }

  /** A listing of the bucket; `markers` tells which element of a page each parameter of the next is taken from. */
  private async *pages(
    query: Readonly<Record<string, string>>,
    markers: Readonly<Record<string, string>>,
  ): AsyncGenerator<string, void> {
    for (let place: Record<string, string> = {}; ; ) {
      const page = await this.requests.text({ method: "GET", query: { ...query, ...place } });
      yield page;
      if (elementOf(page, "IsTruncated") !== "true") return;
      place = Object.fromEntries(
        Object.entries(markers).map(([name, element]) => [name, elementOf(page, element)]),
      );
    }
  }

  private withoutPrefix(key: string): string {
    return key.slice(this.options.prefix.length + 1);
  }
}

/** The text of an XML element; empty where there is none. */
const elementOf = (xml: string, name: string): string =>
  new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? "";

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
