import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { type Entry, fromBuffer, type ZipFile } from "yauzl";
import { AppError } from "../errors.ts";

/** A file of an archive, with the name of the folder that it lies in. */
export interface ArchiveFile {
  readonly path: string;
  /** Empty for a file at the top, outside any folder. */
  readonly folder: string;
  readonly bytes: Uint8Array;
}

export interface ArchiveLimits {
  /** Bytes of everything unpacked. */
  readonly bytes: number;
  /** Entries, folders among them. */
  readonly entries: number;
}

/**
 * Unpacks a .zip, .tar or .tar.gz in memory; nothing is written to the disk. Entries of system folders and hidden
 * files are left out. Fails with UNSAFE_ARTIFACT for a path that leaves the archive, a link or an encrypted entry,
 * with PAYLOAD_TOO_LARGE as soon as more than the limits comes out, and with BAD_USER_INPUT for what is no archive.
 */
export async function readArchive(bytes: Uint8Array, limits: ArchiveLimits): Promise<ArchiveFile[]> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const collector = new Collector(limits);
  try {
    if (startsWith(buffer, [0x50, 0x4b])) await readZip(buffer, collector);
    else if (startsWith(buffer, [0x1f, 0x8b]) || isTar(buffer)) await readTar(buffer, collector);
    else throw damaged("it is neither a .zip nor a .tar nor a .tar.gz");
  } catch (error) {
    throw error instanceof AppError ? error : damaged("it ends early or is corrupt");
  }
  return collector.files;
}

/** Counts what comes out, and keeps the files. */
class Collector {
  readonly files: ArchiveFile[] = [];
  private bytes = 0;
  private entries = 0;

  constructor(private readonly limits: ArchiveLimits) {}

  /** The checked path of an entry. */
  enter(path: string): string {
    this.entries++;
    if (this.entries > this.limits.entries) throw tooLarge("entries", this.limits.entries);
    return checkPath(path);
  }

  count(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > this.limits.bytes) throw tooLarge("bytes", this.limits.bytes);
  }

  keep(path: string, bytes: Uint8Array): void {
    const parts = path.split("/");
    this.files.push({ path, folder: parts.at(-2) ?? "", bytes });
  }
}

async function readTar(buffer: Buffer, collector: Collector): Promise<void> {
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        collector.count(chunk.length);
        done(null, chunk);
      } catch (error) {
        done(error as Error);
      }
    },
  });
  const entries = extract();
  const packed = startsWith(buffer, [0x1f, 0x8b]);
  const source = Readable.from(pieces(buffer));
  const flow = packed
    ? pipeline(source, createGunzip(), counter, entries)
    : pipeline(source, counter, entries);
  // Both ends fail together; the flow's own error is the one that tells why.
  const reading = readTarEntries(entries, collector).catch((error) => {
    entries.destroy(error);
    throw error;
  });
  const [flowed, read] = await Promise.allSettled([flow, reading]);
  for (const outcome of [read, flowed])
    if (outcome.status === "rejected" && outcome.reason instanceof AppError) throw outcome.reason;
  for (const outcome of [read, flowed]) if (outcome.status === "rejected") throw outcome.reason;
}

async function readTarEntries(entries: ReturnType<typeof extract>, collector: Collector): Promise<void> {
  for await (const entry of entries) {
    const { name, type } = entry.header;
    const path = collector.enter(name);
    if (type !== "file" && type !== "directory") throw unsafe(path, `it is a ${type}, not a file or folder`);
    const wanted = type === "file" && !isHidden(path);
    const chunks: Buffer[] = [];
    for await (const chunk of entry) if (wanted) chunks.push(chunk as Buffer);
    if (wanted) collector.keep(path, Buffer.concat(chunks));
  }
}

async function readZip(buffer: Buffer, collector: Collector): Promise<void> {
  const zip = await openZip(buffer);
  try {
    await eachEntry(zip, async (entry) => {
      const path = collector.enter(entry.fileName);
      if (entry.isEncrypted()) throw unsafe(path, "it is encrypted");
      if (isLink(entry)) throw unsafe(path, "it is a link");
      if (path.endsWith("/") || isHidden(path)) return;
      // The claimed size is refused before anything is unpacked; the reader holds the entry to its claim.
      collector.count(entry.uncompressedSize);
      collector.keep(path, await readEntry(zip, entry));
    });
  } finally {
    zip.close();
  }
}

function openZip(buffer: Buffer): Promise<ZipFile> {
  return new Promise((resolve, reject) =>
    // Names are checked here, so that every refusal is in the same words.
    fromBuffer(buffer, { lazyEntries: true, strictFileNames: false }, (error, zip) =>
      error ? reject(error) : resolve(zip),
    ),
  );
}

function eachEntry(zip: ZipFile, visit: (entry: Entry) => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    zip.on("entry", (entry: Entry) => visit(entry).then(() => zip.readEntry(), reject));
    zip.once("end", resolve);
    zip.once("error", (error: Error) =>
      reject(
        /relative path|absolute path|invalid characters/.test(error.message)
          ? unsafe("", error.message)
          : error,
      ),
    );
    zip.readEntry();
  });
}

function readEntry(zip: ZipFile, entry: Entry): Promise<Uint8Array> {
  return new Promise((resolve, reject) =>
    zip.openReadStream(entry, (error, stream) => {
      if (error) return reject(error);
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.once("end", () => resolve(Buffer.concat(chunks)));
      stream.once("error", reject);
    }),
  );
}

/** The type of a Unix file is in the upper bits of its attributes. */
const isLink = (entry: Entry): boolean => ((entry.externalFileAttributes >>> 16) & 0o170000) === 0o120000;

function checkPath(path: string): string {
  const parts = path.split("/");
  if (path.startsWith("/") || /^[A-Za-z]:/.test(path)) throw unsafe(path, "its path is absolute");
  if (path.includes("\\") || path.includes("\0")) throw unsafe(path, "its path has a backslash or a NUL");
  if (parts.includes("..")) throw unsafe(path, "its path leaves the archive");
  return parts.filter((part) => part !== ".").join("/");
}

const isHidden = (path: string): boolean =>
  path.split("/").some((part) => part.startsWith(".") || part === "__MACOSX");

const startsWith = (buffer: Buffer, bytes: readonly number[]): boolean =>
  bytes.every((byte, index) => buffer[index] === byte);

const isTar = (buffer: Buffer): boolean => buffer.subarray(257, 262).toString("latin1") === "ustar";

/** The stream stops between pieces, so a bomb is noticed after one of them. */
function* pieces(buffer: Buffer, size = 64 * 1024): Generator<Buffer> {
  for (let start = 0; start < buffer.length; start += size) yield buffer.subarray(start, start + size);
}

const damaged = (why: string): AppError =>
  new AppError("BAD_USER_INPUT", `The archive cannot be read: ${why}.`);

const unsafe = (path: string, why: string): AppError =>
  new AppError(
    "UNSAFE_ARTIFACT",
    `The archive is refused because of its entry "${path.slice(0, 200)}": ${why}.`,
    {
      entry: path.slice(0, 200),
    },
  );

const tooLarge = (what: string, limit: number): AppError =>
  new AppError("PAYLOAD_TOO_LARGE", `The archive unpacks to more than ${limit} ${what}. Send it in parts.`, {
    limit,
  });
