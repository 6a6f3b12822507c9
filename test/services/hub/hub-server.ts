import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll } from "@jest/globals";

/** What one answer of a download should be; each request takes the next of the list, the last stays. */
export type Behaviour =
  | { readonly kind: "whole" }
  /** The connection breaks after so many bytes. */
  | { readonly kind: "cut"; readonly after: number }
  | { readonly kind: "status"; readonly status: number; readonly headers?: Record<string, string> }
  | { readonly kind: "redirect"; readonly location: string }
  /** Ranges are not understood: the answer is 200 with everything. */
  | { readonly kind: "no ranges" }
  | { readonly kind: "silence" };

export interface Repository {
  readonly files: Record<string, Uint8Array>;
  /** Listed instead of the true digest. */
  readonly digests?: Record<string, string>;
  readonly token?: string;
  readonly behaviours?: Record<string, Behaviour[]>;
}

export interface Request {
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** A server that speaks the hub's protocol: its listing, its redirects to where large files are, ranges, errors. */
export interface HubServer {
  readonly url: string;
  readonly requests: Request[];
}

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";
/** Larger files are "LFS": kept elsewhere and known by SHA-256. */
const LARGE = 1000;

const closing: (() => void)[] = [];
afterAll(() => {
  for (const close of closing) close();
});

export async function startHub(repositories: Record<string, Repository>): Promise<HubServer> {
  const requests: Request[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://hub");
    const path = decodeURIComponent(url.pathname).slice(1);
    const { range, authorization } = request.headers;
    requests.push({ path, range, authorization });
    answer(repositories, path, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

function answer(
  repositories: Record<string, Repository>,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): unknown {
  const api = /^api\/models\/([^/]+\/[^/]+)\/revision\/(.+)$/.exec(path);
  const file = /^(cdn\/)?([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
  const name = api?.[1] ?? file?.[2] ?? "";
  const repository = repositories[name];
  if (!repository) return fail(response, 404, "RepoNotFound");
  // Where large files are kept, nobody is known by the hub's token.
  if (repository.token && !file?.[1] && request.headers.authorization !== `Bearer ${repository.token}`)
    return fail(response, request.headers.authorization ? 403 : 401, "GatedRepo");
  if (api) {
    if (![COMMIT, "main", "refs/pr/1"].includes(api[2]!)) return fail(response, 404, "RevisionNotFound");
    return list(repository, response);
  }
  const bytes = repository.files[file![4]!];
  if (!bytes) return fail(response, 404, "EntryNotFound");
  if (bytes.length > LARGE && !file![1]) {
    return response.writeHead(302, { location: `/cdn/${path}`, "x-linked-size": bytes.length }).end();
  }
  return send(next(repository, file![4]!), bytes, request, response);
}

function next({ behaviours }: Repository, file: string): Behaviour {
  const list = behaviours?.[file] ?? [];
  return (list.length > 1 ? list.shift() : list[0]) ?? { kind: "whole" };
}

function send(
  behaviour: Behaviour,
  bytes: Uint8Array,
  request: IncomingMessage,
  response: ServerResponse,
): unknown {
  if (behaviour.kind === "silence") return undefined;
  if (behaviour.kind === "status") return response.writeHead(behaviour.status, behaviour.headers).end();
  if (behaviour.kind === "redirect") return response.writeHead(302, { location: behaviour.location }).end();
  const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
  const start = asked && behaviour.kind !== "no ranges" ? Number(asked[1]) : 0;
  const part = bytes.subarray(start);
  const range = start > 0 ? { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {};
  response.writeHead(start > 0 ? 206 : 200, { "content-length": part.length, ...range });
  if (behaviour.kind !== "cut") return response.end(part);
  // Ended, not destroyed: all that was written arrives.
  return response.write(part.subarray(0, behaviour.after), () => request.socket.end());
}

function list({ files, digests = {} }: Repository, response: ServerResponse): unknown {
  const siblings = Object.entries(files).map(([rfilename, bytes]) => ({
    rfilename,
    size: bytes.length,
    blobId: (bytes.length > LARGE ? undefined : digests[rfilename]) ?? gitDigest(bytes),
    ...(bytes.length > LARGE
      ? { lfs: { sha256: digests[rfilename] ?? sha256(bytes), size: bytes.length, pointerSize: 130 } }
      : {}),
  }));
  response.writeHead(200, { "content-type": "application/json" });
  return response.end(JSON.stringify({ id: "any", sha: COMMIT, gated: false, siblings }));
}

function fail(response: ServerResponse, status: number, code: string): unknown {
  response.writeHead(status, { "x-error-code": code, "content-type": "application/json" });
  return response.end(JSON.stringify({ error: code }));
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const gitDigest = (bytes: Uint8Array): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
