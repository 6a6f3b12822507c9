import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Bytes that are read where they are needed. */
export interface ByteSource {
  readonly length: number;
  /** All of them, where they are in memory. */
  readonly memory?: Uint8Array;
  /** Fills the target from `offset` on; returns how many bytes there were. */
  fill(target: Uint8Array, offset: number): number;
}

/** Bytes in memory. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    length: bytes.length,
    memory: bytes,
    fill(target, offset) {
      const part = bytes.subarray(offset, offset + target.length);
      target.set(part);
      return part.length;
    },
  };
}

export interface FileSource extends ByteSource {
  close(): void;
}

/** A file of any size. */
export function fileSource(path: string): FileSource {
  const handle = openSync(path, "r");
  return {
    length: fstatSync(handle).size,
    fill(target, offset) {
      let done = 0;
      while (done < target.length) {
        const read = readSync(handle, target, done, target.length - done, offset + done);
        if (read === 0) break;
        done += read;
      }
      return done;
    },
    close: () => closeSync(handle),
  };
}

/** A copy of some bytes. Throws a plain Error where they are not all there. */
export function readBytes(source: ByteSource, offset: number, length: number): Uint8Array {
  if (offset + length > source.length) throw new Error("it ends too early");
  const bytes = new Uint8Array(length);
  if (source.fill(bytes, offset) < length) throw new Error("it ends too early");
  return bytes;
}
