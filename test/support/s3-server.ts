import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join, relative } from "node:path";
import { afterAll, beforeAll } from "@jest/globals";
import type { S3Options } from "../../src/store/s3-requests.ts";
import { verify } from "./s3-signature.ts";
import { S3Uploads } from "./s3-uploads.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const BUCKET = "shelf";
const ACCOUNT = { id: "an-account", secret: "its+secret/key" };
/** How far a request's date may be off. */
const TOLERANCE_MILLISECONDS = 15 * 60_000;
/** Amazon's has a thousand; a server may give fewer at once. */
const KEYS_ON_A_PAGE = 2;

/** What a test has happen to a request: its refusal for the moment, or the loss of the answer to what was done. */
export type Mishap = "refused" | "unanswered";

/**
 * The part of S3 that is used here, on loopback, over a folder: objects of one bucket by HEAD, GET (of the first byte
 * alone, too), PUT and DELETE, copies, uploads in parts, and the lists of both, in the path's style. Signatures, dates, the digests of bodies and what is
 * asked of parts are checked as Amazon documents them.
 */
export class S3Server {
  private server: Server | undefined;
  private readonly folder = temporaryFolder();
  readonly uploads = new S3Uploads((key) => join(this.folder, key));
  /** Each request as "PUT test/key?partNumber=1", without upload ids. */
  readonly log: string[] = [];
  /** Asked before each request, which is given as in the log. */
  mishapOf: (request: string) => Mishap | undefined = () => undefined;
  /** Whether the next copy is answered as one that took long and failed: with 200, and the failure in the text. */
  failsLate = false;
  /** Whatever was free at the first start, and the same at each later one. */
  port = 0;

  static async start(): Promise<S3Server> {
    const server = new S3Server();
    await server.restart();
    return server;
  }

  /** How a client reaches it, by its own port or through another. */
  options(port = this.port): S3Options {
    return {
      endpoint: `http://127.0.0.1:${port}`,
      bucket: BUCKET,
      region: "us-east-1",
      accessKeyId: ACCOUNT.id,
      secretAccessKey: ACCOUNT.secret,
      pathStyle: true,
      prefix: "test",
      patienceMilliseconds: 10_000,
    };
  }

  /** The same as a program's environment. */
  get variables(): Record<string, string> {
    const { endpoint, bucket, accessKeyId, secretAccessKey, prefix } = this.options();
    return {
      S3_ENDPOINT: endpoint,
      S3_BUCKET: bucket,
      S3_ACCESS_KEY_ID: accessKeyId,
      S3_SECRET_ACCESS_KEY: secretAccessKey,
      S3_PREFIX: prefix,
    };
  }

  /** Where the object of a key lies. */
  path(key: string): string {
    return join(this.folder, "test", key);
  }

  async restart(): Promise<void> {
    this.server = createServer((request, response) => void this.serve(request, response));
    this.server.listen(this.port, "127.0.0.1");
    await once(this.server, "listening");
    this.port = (this.server.address() as AddressInfo).port;
  }

  /** Whatever is under way breaks off; the objects stay. */
  async kill(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (!server) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path, query = ""] = String(request.url).split("?");
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const problem = this.problemOf(request, { path, query, body });
    if (problem) return fail(response, ...problem);
    const key = path.slice(`/${BUCKET}/`.length);
    const line = `${request.method} ${key}?${query.replace(/&?uploadId=[^&]*/, "")}`;
    this.log.push(line);
    const mishap = this.mishapOf(line);
    if (mishap === "refused") return fail(response, 503, "SlowDown");
    if (mishap === "unanswered") response.writeHead = () => response.destroy();
    const { "x-amz-copy-source": source, range } = request.headers;
    if (source !== undefined) this.copy(String(source), key, response);
    else
      this.handle({ method: request.method, key, query: new URLSearchParams(query), body, range }, response);
  }

  private handle(request: S3Call, response: ServerResponse): void {
    const { key, query } = request;
    if (query.has("uploads") || query.has("uploadId")) {
      const { status, text, headers } = this.uploads.answer(request);
      response.writeHead(status, { "content-type": "application/xml", ...headers }).end(text);
    } else if (key === "") this.list(query, response);
    else this.answer(request, join(this.folder, key), response);
  }

  private copy(source: string, key: string, response: ServerResponse): void {
    const from = join(this.folder, source.slice(`/${BUCKET}/`.length));
    if (!source.startsWith(`/${BUCKET}/`) || !existsSync(from)) {
      fail(response, 404, "NoSuchKey");
      return;
    }
    if (this.failsLate) {
      this.failsLate = false;
      fail(response, 200, "InternalError");
      return;
    }
    mkdirSync(dirname(join(this.folder, key)), { recursive: true });
    copyFileSync(from, join(this.folder, key));
    response.writeHead(200, { "content-type": "application/xml" });
    response.end("<CopyObjectResult></CopyObjectResult>");
  }

  private problemOf(
    { method = "", headers }: IncomingMessage,
    { path, query, body }: { path: string; query: string; body: Buffer },
  ): [status: number, code: string] | undefined {
    const secretOf = (account: string) => (account === ACCOUNT.id ? ACCOUNT.secret : undefined);
    const signature = verify({ method, path, query, headers }, secretOf);
    if (!signature) return [403, "AccessDenied"];
    if (signature.account !== ACCOUNT.id) return [403, "InvalidAccessKeyId"];
    if (!signature.matches) return [403, "SignatureDoesNotMatch"];
    if (Math.abs(Date.now() - instantOf(String(headers["x-amz-date"]))) > TOLERANCE_MILLISECONDS)
      return [403, "RequestTimeTooSkewed"];
    const digest = createHash("sha256").update(body).digest("hex");
    const claimed = headers["x-amz-content-sha256"];
    if (claimed !== "UNSIGNED-PAYLOAD" && claimed !== digest) return [400, "XAmzContentSHA256Mismatch"];
    if (method === "PUT" && headers["content-length"] === undefined) return [411, "MissingContentLength"];
    if (!path.startsWith(`/${BUCKET}/`)) return [404, "NoSuchBucket"];
    const lists = path === `/${BUCKET}/`;
    return lists && !/list-type=2|uploads=/.test(query) ? [501, "NotImplemented"] : undefined;
  }

  /** ListObjectsV2: keys in their order, and where to go on; a token means nothing to whoever is given it. */
  private list(query: URLSearchParams, response: ServerResponse): void {
    const token = Buffer.from(query.get("continuation-token") ?? "", "base64").toString();
    const keys = readdirSync(this.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(this.folder, join(parentPath, name)))
      .filter((key) => key.startsWith(query.get("prefix") ?? "") && key > token)
      .sort();
    const page = keys.slice(0, KEYS_ON_A_PAGE);
    const next = Buffer.from(page.at(-1) ?? "").toString("base64");
    const more = keys.length > page.length;
    response.writeHead(200, { "content-type": "application/xml" });
    response.end(
      `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult><IsTruncated>${more}</IsTruncated>` +
        page.map((key) => this.describe(key)).join("") +
        (more ? `<NextContinuationToken>${next}</NextContinuationToken>` : "") +
        "</ListBucketResult>",
    );
  }

  private describe(key: string): string {
    const { size, mtime } = statSync(join(this.folder, key));
    return `<Contents><Key>${key}</Key><LastModified>${mtime.toISOString()}</LastModified><Size>${size}</Size></Contents>`;
  }

  private answer({ method, body, range }: S3Call, path: string, response: ServerResponse): void {
    if (method === "PUT") {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, body);
    }
    if (method === "DELETE") rmSync(path, { force: true });
    if (method === "PUT" || method === "DELETE") {
      response.writeHead(200).end();
    } else if (existsSync(path)) {
      const whole = readFileSync(path);
      if (range !== undefined && whole.length === 0) {
        fail(response, 416, "InvalidRange");
        return;
      }
      const object = range === "bytes=0-0" ? whole.subarray(0, 1) : whole;
      const modified = statSync(path).mtime.toUTCString();
      response.writeHead(range === undefined ? 200 : 206, {
        "content-length": object.length,
        "last-modified": modified,
      });
      response.end(method === "GET" ? object : undefined);
    } else fail(response, 404, "NoSuchKey");
  }
}

/** A request whose signature was right. */
export interface S3Call {
  readonly method: string | undefined;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  readonly range?: string | undefined;
}

/** The instant of "20130524T000000Z". */
const instantOf = (date: string): number =>
  Date.parse(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"));

function fail(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { "content-type": "application/xml" });
  response.end(`<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code></Error>`);
}

/** One for all tests of a file. */
export function withS3(): () => S3Server {
  let server: S3Server | undefined;
  beforeAll(async () => {
    server = await S3Server.start();
  });
  afterAll(() => server?.kill());
  return () => {
    if (!server) throw new Error("The storage has not been started.");
    return server;
  };
}
