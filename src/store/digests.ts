import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { AppError } from "../errors.ts";

const DIGEST = /^sha256:([0-9a-f]{64})$/;

/** Whether a text is the digest of something stored, rather than a path or a name. */
export const isDigest = (text: string): boolean => DIGEST.test(text);

/** The digest `sha256:<hex>` of bytes. */
export function digestOfBytes(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** The same of a file, which is never held in memory as a whole. */
export async function digestOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}

/** The hexadecimal part. Fails with NOT_FOUND for what is no digest: nothing can be stored under it. */
export function hexOf(digest: string): string {
  const hex = DIGEST.exec(digest)?.[1];
  if (!hex) throw unknownDigest(digest);
  return hex;
}

export function unknownDigest(digest: string): AppError {
  return new AppError(
    "NOT_FOUND",
    `No blob has the digest "${digest.slice(0, 80)}". Upload the bytes again and use the digest that this answers.`,
  );
}
