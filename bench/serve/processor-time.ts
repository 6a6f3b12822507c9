/** Where a server computes: the processor time of its threads, as Linux tells it. */
import { readdir, readFile } from "node:fs/promises";

/** The parts of a server, in the order of their table. */
export const PARTS = {
  serving: "The thread that serves: HTTP, GraphQL, access, quotas, scores",
  model: "The model: its thread, and those of ONNX Runtime",
  images: "Decoding and resizing",
  others: "All others: V8's, which compile and collect garbage, and libuv's",
} as const;

export type Part = keyof typeof PARTS;

/** Milliseconds of processor, by part. */
export type ProcessorTime = Readonly<Record<Part, number>>;

interface Thread {
  readonly part: Part;
  readonly milliseconds: number;
}

/** By the names that the server gives its threads; what a thread starts is named like it. */
const BY_NAME: Readonly<Record<string, Part>> = { session: "model", "image-tasks": "images" };

/** What the threads of a process have computed so far, by their ids; undefined where the system does not tell. */
export async function threadsOf(pid: number): Promise<ReadonlyMap<string, Thread> | undefined> {
  const folder = `/proc/${pid}/task`;
  try {
    const ids = await readdir(folder);
    return new Map(await Promise.all(ids.map(async (id) => [id, await threadAt(folder, id, pid)] as const)));
  } catch {
    return undefined;
  }
}

async function threadAt(folder: string, id: string, pid: number): Promise<Thread> {
  const [name, times] = await Promise.all(
    ["comm", "schedstat"].map((file) => readFile(`${folder}/${id}/${file}`, "utf8")),
  );
  const part = Number(id) === pid ? "serving" : (BY_NAME[name.trim()] ?? "others");
  return { part, milliseconds: Number(times.split(" ")[0]) / 1e6 };
}

/** What was computed between two looks. */
export function timeBetween(
  before: ReadonlyMap<string, Thread>,
  after: ReadonlyMap<string, Thread>,
): ProcessorTime {
  const time = { serving: 0, model: 0, images: 0, others: 0 };
  for (const [id, { part, milliseconds }] of after)
    time[part] += milliseconds - (before.get(id)?.milliseconds ?? 0);
  return time;
}

export const inAll = (time: ProcessorTime): number =>
  Object.values(time).reduce((sum, milliseconds) => sum + milliseconds, 0);
