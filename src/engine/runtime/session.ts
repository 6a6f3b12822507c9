import { resolve } from "node:path";
import * as onnxruntime from "onnxruntime-node";
import { AppError } from "../../errors.ts";
import type { ElementType, Shape } from "../onnx/graph.ts";
import type { Tensor, TensorData } from "../onnx/tensor.ts";
import type { Device } from "./device.ts";
import { type FileStamps, requireUnchanged } from "./file-stamps.ts";
import { PACKED, readPacked } from "./private-weights.ts";
import { type EncodedProgram, encodeProgram, type Program } from "./program.ts";

export interface SessionOptions {
  readonly device: Device;
  /** Threads to compute one operator with. */
  readonly threads: number;
  /**
   * The weights are those of files that look as these stamps say, and stay so: on the CPU they are read into memory, a
   * GPU has them in its own. Without stamps they are mapped: what is not used takes no memory, but a file that is cut
   * short in its place ends the process, and one that is written to changes the answers.
   */
  readonly weights?: FileStamps;
}

export interface RunOptions {
  /** The caller gives the feeds away, which saves a copy where they go to another thread; their data is then lost. */
  readonly giveFeeds?: boolean;
}

export type Tensors = Readonly<Record<string, Tensor>>;

/** A tensor whose data comes in parts of one length, one after the other: the items of a batch, put together where it runs. */
export interface StackedTensor {
  readonly type: "float32";
  readonly shape: Shape;
  readonly parts: readonly Float32Array[];
}

export type Feeds = Readonly<Record<string, Tensor | StackedTensor>>;

/** A compiled program. Runs of one session are made one after the other. */
export interface Session {
  /** Feeds every input by name; gives the outputs named in `fetches`, or all. The feeds stay the caller's, unless given. */
  run(feeds: Feeds, fetches?: readonly string[], options?: RunOptions): Promise<Record<string, Tensor>>;
  /** Frees the memory, after the runs that are under way. */
  close(): Promise<void>;
}

/**
 * Compiles a program in this thread. Compiling and running block its event loop, so servers use
 * `openWorkerSession` instead. Throws INVALID_GRAPH when ONNX Runtime refuses the graph or a weight file, and
 * INCOMPATIBLE_MODEL when a weight file does not look as its stamp says.
 */
export async function openSession(program: Program, options: SessionOptions): Promise<Session> {
  return loadSession(encodedFor(program, options), options);
}

/** With its weights in memory, or where they are, as the options ask for. */
export const encodedFor = (program: Program, { device, weights }: SessionOptions): EncodedProgram =>
  encodeProgram(program, { inMemory: device === "cpu" && weights !== undefined });

/** The same from a program that is encoded already; fails with INCOMPATIBLE_MODEL where its weights have changed. */
export async function loadSession(program: EncodedProgram, options: SessionOptions): Promise<Session> {
  const { weights = {} } = options;
  await requireUnchanged(weights);
  const session = await compiled(program, options);
  try {
    await requireUnchanged(weights);
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
}

async function compiled(
  { name, model, folder, packed }: EncodedProgram,
  { device, threads }: SessionOptions,
): Promise<Session> {
  // ONNX Runtime copies what it needs of it.
  const externalData = packed ? [{ path: PACKED, data: await readPacked(folder, packed) }] : undefined;
  try {
    const session = await onnxruntime.InferenceSession.create(model, {
      executionProviders: [device],
      graphOptimizationLevel: "all",
      // A pattern is one block for all values of a run, beside the blocks of the run that it was learnt from: twice the
      // memory, and no faster.
      enableMemPattern: false,
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // What it would print as an error, it also throws.
      logSeverityLevel: 4,
      ...(externalData ? { externalData } : {}),
      extra: {
        session: {
          // A model made of bytes has no place of its own to look for its weight files from.
          model_external_initializers_file_folder_path: resolve(folder),
          // Threads that wait for each other in a loop are no sooner done, and take the processor from whoever could
          // use it: beside busy neighbours, a ViT-B/32 answered within 595 to 867 ms so, and 92 to 165 when they sleep.
          intra_op: { allow_spinning: "0" },
        },
      },
    });
    return new DirectSession(name, session);
  } catch (cause) {
    throw new AppError(
      "INVALID_GRAPH",
      `ONNX Runtime cannot compile the program "${name}" for ${device}. The log has its reason; check the checkpoint's files.`,
      { program: name, device },
      { cause },
    );
  }
}

class DirectSession implements Session {
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly name: string,
    private readonly session: onnxruntime.InferenceSession,
  ) {}

  run(feeds: Feeds, fetches?: readonly string[]): Promise<Record<string, Tensor>> {
    const run = this.perform(feeds, fetches);
    this.last = run.catch(() => {});
    return run;
  }

  async close(): Promise<void> {
    await this.last;
    await this.session.release();
  }

  private async perform(feeds: Feeds, fetches?: readonly string[]): Promise<Record<string, Tensor>> {
    const inputs = mapValues(feeds, toRuntime);
    try {
      const outputs = await (fetches ? this.session.run(inputs, fetches) : this.session.run(inputs));
      return mapValues(outputs, fromRuntime);
    } catch (cause) {
      throw new Error(`The program "${this.name}" failed while it ran.`, { cause });
    }
  }
}

function toRuntime(feed: Tensor | StackedTensor): onnxruntime.Tensor {
  const data = "parts" in feed ? joined(feed.parts) : feed.data;
  return new onnxruntime.Tensor(feed.type as "float32", data as Float32Array, [...feed.shape]);
}

function joined(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0];
  const whole = new Float32Array(parts.length * parts[0].length);
  parts.forEach((part, index) => {
    whole.set(part, index * part.length);
  });
  return whole;
}

function fromRuntime(value: onnxruntime.OnnxValue): Tensor {
  const { type, dims, data } = value as onnxruntime.Tensor;
  return { type: type as ElementType, shape: [...dims], data: data as TensorData };
}

function mapValues<In, Out>(
  record: Readonly<Record<string, In>>,
  map: (value: In) => Out,
): Record<string, Out> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
