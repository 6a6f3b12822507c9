import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError } from "../../errors.ts";
import type { FileDigest, HubFile, HubListing } from "./listing.ts";
import { refusal } from "./listing.ts";
import type { HubRequests, HubResponse } from "./requests.ts";

export interface DownloadProgress {
  readonly file: string;
  /** Of all files together; what was there from before counts. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** Room that stays free. */
const RESERVE = 64 * 1024 * 1024;
const PARTIAL = ".part";

/**
 * Downloads the files into the folder, each by its path, with its size and digest checked. What an earlier call has
 * left there is used: whole files are checked, parts are gone on with. Fails with DOWNLOAD_FAILED, UNSAFE_ARTIFACT
 * (other bytes than the hub lists; they are deleted), FORBIDDEN, NOT_FOUND or CANCELLED; parts then stay.
 */
export async function downloadFiles(
  requests: HubRequests,
  listing: HubListing,
  files: readonly HubFile[],
  folder: string,
  onProgress: (progress: DownloadProgress) => void = () => {},
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  await requireRoom(folder, totalBytes - (await bytesThere(folder, files)));
  let before = 0;
  for (const file of files) {
    const report = (done: number) => onProgress({ file: file.path, doneBytes: before + done, totalBytes });
    await downloadFile(requests, listing, file, join(folder, file.path), report);
    before += file.bytes;
    report(0);
  }
}

async function downloadFile(
  requests: HubRequests,
  listing: HubListing,
  file: HubFile,
  target: string,
  report: (done: number) => void,
): Promise<void> {
  if ((await sizeOf(target)) === file.bytes && (await digestOfFile(target, file)) === file.digest.value)
    return;
  await mkdir(dirname(target), { recursive: true });
  const partial = target + PARTIAL;
  const resumed = (await sizeOf(partial)) ?? 0;
  const found = await fetchWhole(requests, listing, file, partial, report);
  if (found !== file.digest.value) {
    await rm(partial, { force: true });
    // What was there from an earlier call may be what is wrong.
    if (resumed > 0) return downloadFile(requests, listing, file, target, report);
    throw wrongDigest(listing, file, found);
  }
  await rename(partial, target);
}

/** Fetches until all bytes are in the partial file; resolves to their digest. */
async function fetchWhole(
  requests: HubRequests,
  listing: HubListing,
  file: HubFile,
  path: string,
  report: (done: number) => void,
): Promise<string> {
  const partial = await Partial.open(path, file);
  let furthest = partial.bytes;
  try {
    await requests.persist(`Downloading ${file.path}`, async (advanced) => {
      report(partial.bytes);
      if (partial.isWhole) return;
      const response = await askFor(requests, listing, file, partial);
      for await (const chunk of response.chunks()) {
        await partial.append(chunk);
        // A server that always starts from zero and never comes further is not tried for ever.
        if (partial.bytes > furthest) advanced();
        furthest = Math.max(furthest, partial.bytes);
        report(partial.bytes);
      }
      if (!partial.isWhole)
        throw Object.assign(new Error(`the connection ended early, at byte ${partial.bytes}`), {
          transient: true,
        });
    });
    return partial.digest();
  } finally {
    await partial.close();
  }
}

/** The answer that goes on where the partial file ends; the partial is emptied where the server starts from zero. */
async function askFor(
  requests: HubRequests,
  listing: HubListing,
  file: HubFile,
  partial: Partial,
): Promise<HubResponse> {
  const { repository, commit } = listing;
  const path = file.path.split("/").map(encodeURIComponent).join("/");
  const range: Record<string, string> = partial.bytes > 0 ? { range: `bytes=${partial.bytes}-` } : {};
  const response = await requests.get(requests.url(`${repository}/resolve/${commit}/${path}`), range);
  if (response.status === 206 && continues(response, partial.bytes)) return response;
  if (response.status === 200) {
    await partial.empty();
    return response;
  }
  await response.discard();
  if (response.status === 206 || response.status === 416) {
    await partial.empty();
    throw Object.assign(new Error("the hub sent another part than was asked for"), { transient: true });
  }
  throw refusal(response, requests, { repository, revision: commit, path: file.path });
}

function continues({ headers }: HubResponse, offset: number): boolean {
  return headers.get("content-range")?.startsWith(`bytes ${offset}-`) ?? false;
}

/** The beginning of a file, and the digest of it so far. */
class Partial {
  private constructor(
    private readonly handle: FileHandle,
    private readonly file: HubFile,
    private hash: Hash,
    private length: number,
  ) {}

  /** What is there already goes through the digest; a part that is too long is not one. */
  static async open(path: string, file: HubFile): Promise<Partial> {
    const there = (await sizeOf(path)) ?? 0;
    const keep = there <= file.bytes;
    const hash = startHash(file);
    if (keep && there > 0) for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    const handle = await open(path, keep ? "a" : "w");
    return new Partial(handle, file, hash, keep ? there : 0);
  }

  get bytes(): number {
    return this.length;
  }

  get isWhole(): boolean {
    return this.length === this.file.bytes;
  }

  async append(chunk: Uint8Array): Promise<void> {
    if (this.length + chunk.length > this.file.bytes)
      throw new AppError(
        "UNSAFE_ARTIFACT",
        `${this.file.path} goes on after the ${this.file.bytes} bytes that the hub lists. It was not taken.`,
        { file: this.file.path },
      );
    this.hash.update(chunk);
    await this.handle.writeFile(chunk);
    this.length += chunk.length;
  }

  async empty(): Promise<void> {
    await this.handle.truncate(0);
    this.hash = startHash(this.file);
    this.length = 0;
  }

  digest(): string {
    return this.hash.digest("hex");
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

function startHash({ digest, bytes }: { digest: FileDigest; bytes: number }): Hash {
  return digest.kind === "sha256" ? createHash("sha256") : createHash("sha1").update(`blob ${bytes}\0`);
}

async function digestOfFile(path: string, file: HubFile): Promise<string> {
  const hash = startHash(file);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}

async function bytesThere(folder: string, files: readonly HubFile[]): Promise<number> {
  const sizes = await Promise.all(
    files.map(async ({ path }) => {
      const target = join(folder, path);
      return (await sizeOf(target)) ?? (await sizeOf(target + PARTIAL)) ?? 0;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Fails with DOWNLOAD_FAILED where the file system has no room for so many bytes more. */
async function requireRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (bytes + RESERVE <= free) return;
  const megabytes = (count: number) => `${Math.ceil(count / 1024 ** 2)} MiB`;
  throw new AppError(
    "DOWNLOAD_FAILED",
    `${megabytes(bytes)} are to be downloaded, but the models folder has room for ${megabytes(Math.max(0, free - RESERVE))}. Make room, or name another with --models-dir.`,
    { bytes, free },
  );
}

function wrongDigest({ repository, commit }: HubListing, { path, digest }: HubFile, found: string): AppError {
  return new AppError(
    "UNSAFE_ARTIFACT",
    `${path} of ${repository} at ${commit.slice(0, 12)} should have the ${digest.kind} digest ${digest.value}, but what arrived has ${found}. It was deleted. Try again; if it happens again, do not use this source.`,
    { file: path, expected: digest.value, found },
  );
}
