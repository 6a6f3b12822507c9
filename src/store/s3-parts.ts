import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { bodyOf, refusalOf, S3Refusal, type S3Requests } from "./s3-requests.ts";

/** Of one upload, as Amazon has it. */
const MOST_PARTS = 10_000;
/** Putting the parts together may take the storage minutes. */
const COMPLETION_MILLISECONDS = 300_000;

interface LargeFile {
  readonly path: string;
  readonly bytes: number;
  readonly digest: string;
}

/** Where a part begins in its file, and its last byte. */
interface Part {
  readonly start: number;
  readonly end: number;
}

/**
 * Stores a file in parts of at least `partBytes`, one after the other, each read as it is sent: a part that fails is
 * sent again alone, and of none more than a chunk is in memory. The object is there once all are, and only if their
 * bytes have the file's digest; when that fails, the parts are given up.
 */
export async function uploadInParts(
  requests: S3Requests,
  key: string,
  { path, bytes, digest }: LargeFile,
  partBytes: number,
): Promise<void> {
  const uploadId = await begin(requests, key);
  try {
    const whole = createHash("sha256");
    const tags: string[] = [];
    for (const part of partsOf(bytes, partBytes)) {
      const sha256 = await readPart(path, part, whole);
      const body = { bytes: part.end - part.start + 1, sha256, stream: () => createReadStream(path, part) };
      const query = { partNumber: String(tags.length + 1), uploadId };
      const { headers } = await requests.send({ method: "PUT", key, query, body });
      tags.push(headers.get("etag") ?? "");
    }
    if (`sha256:${whole.digest("hex")}` !== digest)
      throw new Error(`"${path.split("/").at(-1)}" has changed while it was stored.`);
    await complete(requests, key, uploadId, tags);
  } catch (error) {
    // Where this fails too, housekeeping finds them.
    await requests.attempt({ method: "DELETE", key, query: { uploadId } }).catch(() => {});
    throw error;
  }
}

async function begin(requests: S3Requests, key: string): Promise<string> {
  const answer = await requests.text({ method: "POST", key, query: { uploads: "" } });
  const id = /<UploadId>([^<]+)<\/UploadId>/.exec(answer)?.[1];
  if (id === undefined) throw new Error("The storage has begun an upload in parts without saying its id.");
  return id;
}

function partsOf(bytes: number, partBytes: number): Part[] {
  const size = Math.max(partBytes, Math.ceil(bytes / MOST_PARTS));
  return Array.from({ length: Math.ceil(bytes / size) }, (_, index) => ({
    start: index * size,
    end: Math.min((index + 1) * size, bytes) - 1,
  }));
}

/** The SHA-256 of a part; its bytes go into that of the whole as well. */
async function readPart(path: string, part: Part, whole: Hash): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { ...part, highWaterMark: 1024 * 1024 })) {
    hash.update(chunk);
    whole.update(chunk);
  }
  return hash.digest("hex");
}

async function complete(
  requests: S3Requests,
  key: string,
  uploadId: string,
  tags: readonly string[],
): Promise<void> {
  const parts = tags.map(
    (tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${tag}</ETag></Part>`,
  );
  const body = bodyOf(
    `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join("")}</CompleteMultipartUpload>`,
  );
  const request = { method: "POST", key, query: { uploadId }, body } as const;
  try {
    await requests.persist(async () => {
      const response = await requests.attempt({
        ...request,
        standstillMilliseconds: COMPLETION_MILLISECONDS,
      });
      const answer = await response.text();
      // A storage that takes long says 200 at first, and how it went at the end.
      if (answer.includes("<Error>")) throw refusalOf("POST", response.status, answer, true);
    });
  } catch (error) {
    // An upload that is no more has been completed, where the object is there: an earlier answer was lost.
    if (!(error instanceof S3Refusal && error.status === 404)) throw error;
    if ((await requests.send({ method: "HEAD", key })).status !== 200) throw error;
  }
}
