import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Bytes that are read where they are needed. */
export interface ByteSource {
  readonly length: number;
  /** The bytes from `offset` on, as many as are there of the `count` that are wanted. */
  read(offset: number, count: number): Uint8Array;
  /** How much to ask for at once. */
  readonly window: number;
}

/** Bytes in memory; what is read are views. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    length: bytes.length,
    window: bytes.length,
    read: (offset, count) => bytes.subarray(offset, offset + count),
  };
}

export interface FileSource extends ByteSource {
  close(): void;
}

/** Small enough that reading around a thousand weights costs little, large enough that nodes come in few reads. */
const FILE_WINDOW = 32 * 1024;

/** A file of any size; what is read are copies. */
export function fileSource(path: string): FileSource {
  const handle = openSync(path, "r");
  const length = fstatSync(handle).size;
  return {
    length,
    window: FILE_WINDOW,
    read(offset, count) {
      const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(count, length - offset)));
      let done = 0;
      while (done < bytes.length) {
        const read = readSync(handle, bytes, done, bytes.length - done, offset + done);
        if (read === 0) break;
        done += read;
      }
      return bytes.subarray(0, done);
    },
    close: () => closeSync(handle),
  };
}
