import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { stampOf } from "../runtime/file-stamps.ts";
import type { CheckpointFolder } from "./checkpoint-folder.ts";

/** What a file was when it was read; a file that changes gets another stamp. */
interface Remembered {
  readonly stamp: string;
  readonly digest: Promise<string>;
}

const remembered = new Map<string, Remembered>();

/**
 * SHA-256 in hexadecimal: of the one file, or of the lines "digest name" of several, sorted by name. A file is read once as
 * long as its size, time of change and inode stay the same.
 */
export async function digestOfFiles(folder: CheckpointFolder, files: readonly string[]): Promise<string> {
  const digests = await Promise.all(
    files.map((file) => digestOfFile(join(folder.root, folder.locate(file)))),
  );
  if (digests.length === 1) return digests[0];
  const lines = files.map((file, index) => ({ file, line: `${digests[index]} ${file}\n` }));
  const sorted = lines.sort((a, b) => (a.file < b.file ? -1 : 1)).map(({ line }) => line);
  return createHash("sha256").update(sorted.join("")).digest("hex");
}

async function digestOfFile(path: string): Promise<string> {
  const stamp = await stampOf(path);
  const known = remembered.get(path);
  if (known?.stamp === stamp) return known.digest;
  const digest = readDigest(path);
  remembered.set(path, { stamp, digest });
  digest.catch(() => remembered.delete(path));
  return digest;
}

function readDigest(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const hash = createHash("sha256");
    createReadStream(path, { highWaterMark: 1024 * 1024 })
      .on("data", (chunk) => hash.update(chunk))
      .on("end", () => resolve(hash.digest("hex")))
      .on("error", reject);
  });
}
