import { open } from "node:fs/promises";
import { basename } from "node:path";
import { damaged, type Place } from "./refusal.ts";

/** A file's bytes, read where they are asked for. */
export interface Source {
  readonly place: Place;
  /** In bytes. */
  readonly size: number;
  /** Throws INVALID_CHECKPOINT where the file ends before. */
  read(offset: number, length: number): Promise<Buffer>;
}

/** Opens the file for as long as `use` takes. Throws INVALID_CHECKPOINT where it cannot be opened. */
export async function withSource<Result>(
  path: string,
  use: (source: Source) => Promise<Result>,
): Promise<Result> {
  const place = { file: basename(path) };
  const handle = await open(path, "r").catch((cause) => {
    throw damaged(place, "the file cannot be opened", { cause: cause.code });
  });
  try {
    const { size } = await handle.stat();
    return await use({
      place,
      size,
      async read(offset, length) {
        if (offset < 0 || offset + length > size) throw truncated(place, offset + length);
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset);
        if (bytesRead !== length) throw truncated(place, offset + length);
        return buffer;
      },
    });
  } finally {
    await handle.close();
  }
}

/** A file that is in memory. */
export function sourceOf(bytes: Uint8Array, file: string): Source {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    place: { file },
    size: buffer.length,
    async read(offset, length) {
      if (offset >= 0 && offset + length <= buffer.length) return buffer.subarray(offset, offset + length);
      throw truncated({ file }, offset + length);
    },
  };
}

const truncated = (place: Place, end: number) =>
  damaged(place, `the file ends before byte ${end}; it is truncated`);
