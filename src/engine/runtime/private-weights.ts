import { constants } from "node:buffer";
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../errors.ts";
import type { Graph } from "../onnx/graph.ts";
import { type FileStorage, relocated } from "../onnx/relocate.ts";

/** How files looked when their weights were checked, by where they are: one that was changed since looks otherwise. */
export type FileStamps = Readonly<Record<string, string>>;

/** @param files names in the folder; links are followed. */
export async function stampsOf(folder: string, files: readonly string[]): Promise<FileStamps> {
  const stamps = files.map(async (file) => {
    const path = await realpath(join(folder, file));
    return [path, stampOf(await stat(path))] as const;
  });
  return Object.fromEntries(await Promise.all(stamps));
}

const stampOf = ({ dev, ino, size, mtimeMs }: Awaited<ReturnType<typeof stat>>): string =>
  [dev, ino, size, mtimeMs].join(" ");

/** A graph whose file-stored weights lie in one block of memory, and where they come from. */
export interface PackedGraph {
  /** Its weights are in a file {@link PACKED}, which is nowhere but in memory. */
  readonly graph: Graph;
  readonly ranges: readonly PackedRange[];
  /** Of the block. */
  readonly bytes: number;
}

/** Bytes of a file, and their place in the block. */
interface PackedRange {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
  readonly place: number;
}

export const PACKED = "weights in memory";
/** What vector instructions like. */
const ALIGNMENT = 64;

/** Nothing where the weights are more than one block can be. */
export function packed(graph: Graph): PackedGraph | undefined {
  const ranges = new Map<string, PackedRange>();
  let bytes = 0;
  const place = ({ file, offset, length }: FileStorage): FileStorage => {
    const key = `${offset} ${length} ${file}`;
    const range = ranges.get(key) ?? { file, offset, length, place: bytes };
    if (!ranges.has(key)) bytes += Math.ceil(length / ALIGNMENT) * ALIGNMENT;
    ranges.set(key, range);
    return { kind: "file", file: PACKED, offset: range.place, length };
  };
  const moved = relocated(graph, place);
  return bytes > constants.MAX_LENGTH ? undefined : { graph: moved, ranges: [...ranges.values()], bytes };
}

/** Fails with INCOMPATIBLE_MODEL where a file does not look any more as its stamp says. */
export async function readPacked(
  folder: string,
  { ranges, bytes }: Pick<PackedGraph, "ranges" | "bytes">,
  stamps: FileStamps,
): Promise<Uint8Array> {
  const block = new Uint8Array(bytes);
  for (const file of new Set(ranges.map((range) => range.file))) {
    const path = await realpath(join(folder, file));
    const handle = await open(path);
    try {
      for (const range of ranges.filter((one) => one.file === file)) await readRange(handle, range, block);
      // Afterwards, so that what was read is what the stamp was taken of.
      if (stamps[path] !== stampOf(await handle.stat())) throw changed(file);
    } finally {
      await handle.close();
    }
  }
  return block;
}

async function readRange(handle: FileHandle, range: PackedRange, block: Uint8Array): Promise<void> {
  const { file, offset, length, place } = range;
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(block, place + done, length - done, offset + done);
    if (bytesRead === 0) throw changed(file);
    done += bytesRead;
  }
}

const changed = (file: string): AppError =>
  new AppError(
    "INCOMPATIBLE_MODEL",
    `The weights in "${file}" have changed since the model was registered. Register it again.`,
    { file },
  );
