import { constants } from "node:buffer";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { Graph } from "../onnx/graph.ts";
import { type FileStorage, relocated } from "../onnx/relocate.ts";
import { changed } from "./file-stamps.ts";

/** A graph whose file-stored weights lie in one block of memory, and where they come from. */
export interface PackedGraph extends PackedWeights {
  /** Its weights are in a file {@link PACKED}, which is nowhere but in memory. */
  readonly graph: Graph;
}

export interface PackedWeights {
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

/** The block. Fails with INCOMPATIBLE_MODEL where a file is gone, or ends before its range does. */
export async function readPacked(folder: string, { ranges, bytes }: PackedWeights): Promise<Uint8Array> {
  const block = new Uint8Array(bytes);
  for (const file of new Set(ranges.map((range) => range.file))) {
    const path = join(folder, file);
    const handle = await open(path).catch(() => Promise.reject(changed(path)));
    try {
      for (const range of ranges.filter((one) => one.file === file))
        if (!(await readRange(handle, range, block))) throw changed(path);
    } finally {
      await handle.close();
    }
  }
  return block;
}

/** Whether all of the range was there. */
async function readRange(
  handle: FileHandle,
  { offset, length, place }: PackedRange,
  block: Uint8Array,
): Promise<boolean> {
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(block, place + done, length - done, offset + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}
