import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { S3Call } from "./s3-server.ts";

/** Of every part but the last; Amazon's is 5 MiB. */
export const LEAST_PART_BYTES = 1024;
/** Amazon gives a thousand at once. */
const UPLOADS_ON_A_PAGE = 2;

interface Upload {
  readonly key: string;
  readonly initiated: Date;
  readonly parts: Map<number, { readonly bytes: Buffer; readonly tag: string }>;
}

interface Answer {
  readonly status: number;
  readonly text?: string;
  readonly headers?: Record<string, string>;
}

/** Uploads in parts: what is sent, and in which order it is put together, is checked as Amazon documents it. */
export class S3Uploads {
  private readonly uploads = new Map<string, Upload>();
  /** Whether the next completion is answered as one that took long and failed: with 200, and the failure in the text. */
  failsLate = false;

  constructor(private readonly pathOf: (key: string) => string) {}

  get size(): number {
    return this.uploads.size;
  }

  has(id: string): boolean {
    return this.uploads.has(id);
  }

  answer({ method, key, query, body }: S3Call): Answer {
    if (query.has("uploads"))
      return method === "GET"
        ? this.list(query)
        : document("InitiateMultipartUploadResult", element("UploadId", this.begin(key)));
    const id = query.get("uploadId") ?? "";
    const upload = this.uploads.get(id);
    if (upload?.key !== key) return failed(404, "NoSuchUpload");
    if (method === "PUT") return put(upload, Number(query.get("partNumber")), body);
    if (method === "POST") return this.complete(id, upload, body.toString());
    this.uploads.delete(id);
    return { status: 204 };
  }

  /** The id of a new upload. */
  begin(key: string, initiated = new Date()): string {
    // Ids are opaque; Ceph's begin so.
    const id = `2~${randomBytes(12).toString("base64url")}`;
    this.uploads.set(id, { key, initiated, parts: new Map() });
    return id;
  }

  private complete(id: string, { key, parts }: Upload, text: string): Answer {
    if (this.failsLate) {
      this.failsLate = false;
      return { ...failed(500, "InternalError"), status: 200 };
    }
    const named = [...text.matchAll(/<Part><PartNumber>(\d+)<\/PartNumber><ETag>([^<]+)<\/ETag><\/Part>/g)];
    const chosen = named.map(([, number, tag]) => ({
      number: Number(number),
      tag,
      part: parts.get(Number(number)),
    }));
    if (chosen.length === 0) return failed(400, "MalformedXML");
    if (chosen.some(({ part, tag }) => part?.tag !== tag)) return failed(400, "InvalidPart");
    if (chosen.some(({ number }, index) => index > 0 && number <= chosen[index - 1].number))
      return failed(400, "InvalidPartOrder");
    const pieces = chosen.flatMap(({ part }) => part?.bytes ?? []);
    if (pieces.slice(0, -1).some(({ length }) => length < LEAST_PART_BYTES))
      return failed(400, "EntityTooSmall");
    mkdirSync(dirname(this.pathOf(key)), { recursive: true });
    writeFileSync(this.pathOf(key), Buffer.concat(pieces));
    this.uploads.delete(id);
    return document("CompleteMultipartUploadResult", element("Key", key));
  }

  private list(query: URLSearchParams): Answer {
    const placeOf = (key: string, id: string) => `${key}\n${id}`;
    const after = query.has("key-marker")
      ? placeOf(query.get("key-marker") ?? "", query.get("upload-id-marker") ?? "")
      : "";
    const found = [...this.uploads]
      .map(([id, upload]) => ({ id, ...upload, place: placeOf(upload.key, id) }))
      .filter(({ key, place }) => key.startsWith(query.get("prefix") ?? "") && place > after)
      .sort((one, other) => (one.place < other.place ? -1 : 1));
    const page = found.slice(0, UPLOADS_ON_A_PAGE);
    return document(
      "ListMultipartUploadsResult",
      element("IsTruncated", String(found.length > page.length)),
      // Amazon tells where to go on also where there is nothing more.
      element("NextKeyMarker", page.at(-1)?.key ?? ""),
      element("NextUploadIdMarker", page.at(-1)?.id ?? ""),
      ...page.map(
        ({ key, id, initiated }) =>
          `<Upload>\n${element("Key", key)}${element("UploadId", id)}${element("Initiated", initiated.toISOString())}</Upload>`,
      ),
    );
  }
}

function put({ parts }: Upload, number: number, bytes: Buffer): Answer {
  if (!(number >= 1 && number <= 10_000)) return failed(400, "InvalidArgument");
  const tag = `"${createHash("md5").update(bytes).digest("hex")}"`;
  parts.set(number, { bytes, tag });
  return { status: 200, headers: { etag: tag } };
}

const element = (name: string, text: string): string => `<${name}>${text}</${name}>`;

const document = (name: string, ...elements: string[]): Answer => ({
  status: 200,
  text: `<?xml version="1.0" encoding="UTF-8"?>\n${element(name, elements.join(""))}`,
});

const failed = (status: number, code: string): Answer => ({
  ...document("Error", element("Code", code)),
  status,
});
