import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { AppError } from "../errors.ts";
import { digestOfFile, hexOf } from "./digests.ts";
import { uploadInParts } from "./s3-parts.ts";
import { bodyOf, type S3Options, S3Requests } from "./s3-requests.ts";

const PART_BYTES = 64 * 1024 ** 2;
/** Of one object. */
const MOST_BYTES = 5 * 1024 ** 4;

/**
 * Objects in a bucket of S3, or of a storage that speaks like it (MinIO, Ceph, R2, Garage), over HEAD, GET, PUT and
 * DELETE of an object, ListObjectsV2 of the bucket, and uploads in parts. The requests go through fetch; what Amazon's
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
    const body = bodyOf("Antidote keeps its files here.\n");
    try {
      await bucket.requests.send({ method: "PUT", key: "probe", body });
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
    return (await this.requests.send({ method: "HEAD", key })).status === 200;
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
    const query = { "list-type": "2", prefix: `${this.options.prefix}/${beginning}` };
    for await (const page of this.pages(query, { "continuation-token": "NextContinuationToken" }))
      for (const [, key] of page.matchAll(/<Key>([^<]+)<\/Key>/g)) keys.push(this.withoutPrefix(key!));
    return keys;
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
