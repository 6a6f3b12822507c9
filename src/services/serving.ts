import { type NearWord, nearestWords, type WordMetric } from "../engine/cbpt/nearest-words.ts";
import { type LearnedPrompts, promptFeatures } from "../engine/cbpt/prompt-features.ts";
import { type Checkpoint, openCheckpoint } from "../engine/clip/checkpoint.ts";
import type { ImageLimits } from "../engine/clip/decoding.ts";
import { imageProgram } from "../engine/clip/programs.ts";
import { zeroShotMatrix } from "../engine/clip/zero-shot.ts";
import type { Device } from "../engine/runtime/device.ts";
import { ElasticSession } from "../engine/runtime/elastic-session.ts";
import { entryPoint } from "../engine/runtime/entry-point.ts";
import { type FileStamps, requireUnchanged, stampsOf } from "../engine/runtime/file-stamps.ts";
import { MicroBatcher } from "../engine/runtime/micro-batcher.ts";
import type { Program } from "../engine/runtime/program.ts";
import type { RoomBounds } from "../engine/runtime/room.ts";
import type { Session } from "../engine/runtime/session.ts";
import { SharedWork } from "../engine/runtime/shared-work.ts";
import { WorkerPool } from "../engine/runtime/worker-pool.ts";
import { openWorkerSession } from "../engine/runtime/worker-session.ts";
import type { ViewName } from "../engine/second-look/views.ts";
import { AppError } from "../errors.ts";
import type { Depot } from "../store/depot.ts";
import { inSpan } from "../telemetry/spans.ts";
import { digestOf } from "./canonical.ts";
import { KeepWarm, type Warm } from "./keep-warm.ts";
import { LeastRecent } from "./least-recent.ts";
import { type ModelRecord, referenceOf } from "./registry.ts";

/** The bounds are those of the images that wait to be decoded, and of those that wait for one model. */
export interface ServingOptions extends RoomBounds {
  readonly device: Device;
  readonly threads: number;
  readonly images: ImageLimits;
  readonly onBatch: (images: number) => void;
  /** Where the files of models are. */
  readonly depot: Pick<Depot, "folder">;
  /** A model that nobody has asked for so long leaves the memory; undefined keeps all. */
  readonly idleMilliseconds?: number;
}

/** An image's normalised embedding [D], and how it came about; times in milliseconds. */
export interface EncodedImage {
  readonly embedding: Float32Array;
  readonly preprocessMs: number;
  readonly queueMs: number;
  readonly inferMs: number;
  readonly batchSize: number;
}

type ImageTasks = typeof import("../engine/clip/image-tasks.ts");

interface ServedModelOptions extends ServingOptions {
  /** Told when the model's files are not those any more that it was opened from. */
  readonly onStale: (model: ServedModel) => void;
}

const LARGEST_BATCH = 64;
/** Longer batches are no faster for each image, and whoever comes next waits for them. */
const LONGEST_BATCH_MILLISECONDS = 200;
/** So many small images are decoded in the time that this thread may be busy with requests. */
const DECODE_DEPTH = 8;
const MATRICES_KEPT = 64;

/** The models in memory. One is loaded once, by the first image that needs it, however many ask at the same time. */
export class Serving {
  private readonly models: KeepWarm<ServedModel>;
  private readonly pool: WorkerPool<ImageTasks>;

  constructor(private readonly options: ServingOptions) {
    this.models = new KeepWarm(options.idleMilliseconds);
    this.pool = new WorkerPool<ImageTasks>(entryPoint(import.meta.url, "../engine/clip/image-tasks"), {
      ...options,
      size: Math.max(1, Math.min(options.threads, 8)),
      depth: DECODE_DEPTH,
    });
  }

  /** Fails as `openCheckpoint` does; the next call tries again. */
  async model(record: ModelRecord): Promise<ServedModel> {
    if (record.trust === "QUARANTINED")
      throw new AppError("FORBIDDEN", `Model "${record.name}" is quarantined and answers nothing.`);
    const key = keyOf(record);
    const open = (): Promise<ServedModel> =>
      ServedModel.open(record, this.pool, {
        ...this.options,
        onStale: (model) => this.models.renew(key, model, open),
      });
    return this.models.get(key, open);
  }

  /** Has a model leave the memory, once those are answered who wait for it. */
  release(record: ModelRecord): void {
    this.models.release(keyOf(record));
  }

  /** How many images wait: to be decoded, and for a model. */
  waitingImages(): { decode: number; encode: number } {
    const encode = this.models.all().reduce((sum, { waitingImages }) => sum + waitingImages, 0);
    return { decode: this.pool.waitingTasks, encode };
  }

  isLoaded(record: ModelRecord): boolean {
    return this.models.has(keyOf(record));
  }

  /** The model where it is in memory: nobody waits for one that is still being loaded. */
  loaded(record: ModelRecord): ServedModel | undefined {
    return this.models.opened(keyOf(record));
  }

  async close(): Promise<void> {
    await this.models.close();
    await this.pool.close();
  }
}

const keyOf = ({ folder, weights, preprocessing }: ModelRecord): string =>
  `${folder} ${weights} ${preprocessing}`;

/** A model that answers: its image encoder in a worker thread, and the text matrices that were asked for. */
export class ServedModel implements Warm {
  private readonly batcher: MicroBatcher<Float32Array, Float32Array>;
  private readonly underWay = new SharedWork<EncodedImage>();
  private readonly matrices = new LeastRecent<Float32Array>(MATRICES_KEPT);
  private readonly matricesUnderWay = new SharedWork<Float32Array>();
  private turn: Promise<unknown> = Promise.resolve();
  /** Images that are being decoded, or wait for it. */
  private preparing = 0;
  /** What was asked for and is not answered. */
  private uses = 0;
  private lastUse = performance.now();

  private constructor(
    readonly checkpoint: Checkpoint,
    private readonly session: Session,
    private readonly weights: FileStamps,
    private readonly pool: WorkerPool<ImageTasks>,
    private readonly options: ServedModelOptions,
  ) {
    this.batcher = new MicroBatcher({
      run: (batch) => this.encodeBatch(batch),
      maximumBatch: LARGEST_BATCH,
      // Where nobody is to wait long, nobody waits for a long batch of others either.
      longestBatchMilliseconds: Math.min(
        LONGEST_BATCH_MILLISECONDS,
        options.longestWaitMilliseconds ?? Number.POSITIVE_INFINITY,
      ),
      capacity: options.capacity,
      longestWaitMilliseconds: options.longestWaitMilliseconds,
    });
  }

  static async open(
    record: ModelRecord,
    pool: WorkerPool<ImageTasks>,
    options: ServedModelOptions,
  ): Promise<ServedModel> {
    const checkpoint = await openCheckpoint(await options.depot.folder(referenceOf(record)));
    // Before the digest, so that what it is of is what is computed with.
    const weights = await stampsOf(checkpoint.folder, checkpoint.files);
    const prepared = digestOf(checkpoint.preprocessing) === record.preprocessing;
    if (!prepared || `sha256:${await checkpoint.weightsDigest()}` !== record.weights)
      throw new AppError(
        "INCOMPATIBLE_MODEL",
        `The ${prepared ? "weights" : "preprocessing"} of model "${record.name}" changed after it was registered. Register it again.`,
      );
    const { device, threads } = options;
    const program = imageProgram(checkpoint, { batch: "dynamic" });
    const session = await ElasticSession.open(program, { device, threads, weights });
    return new ServedModel(checkpoint, session, weights, pool, options);
  }

  get waitingImages(): number {
    return this.batcher.waitingItems;
  }

  get usedAt(): number {
    return this.uses > 0 ? Number.POSITIVE_INFINITY : this.lastUse;
  }

  /** Throws OVERLOADED when so many images more would not be taken. */
  assertRoom(images: number): void {
    this.batcher.assertRoom(images, this.preparing);
    this.pool.assertRoom(images);
  }

  /**
   * The embedding of an encoded image. The same image is encoded once for all who ask for it at the same time, of
   * whatever tenant, and each sees the time that it waited itself. Fails with the image's own problem, with OVERLOADED,
   * or with the signal's reason; what nobody waits for any more leaves the queues.
   *
   * @param digest of the bytes.
   * @param options.view in which the image is seen; as it is when absent.
   */
  async encode(
    bytes: Uint8Array,
    digest: string,
    { signal, view }: { readonly signal?: AbortSignal; readonly view?: ViewName } = {},
  ): Promise<EncodedImage> {
    const begin = performance.now();
    const key = `${digest} ${view ?? ""}`;
    const joined = this.underWay.has(key);
    const encode = (abandoned: AbortSignal) => this.encodeAlone(bytes, view, abandoned);
    const image = await this.used(this.underWay.join(key, encode, signal));
    return joined ? asSeenFor(performance.now() - begin, image) : image;
  }

  /**
   * The undefended text matrix [C, D] of labels through templates. It is made once for all who ask for it at the same
   * time, and given up when the signals of all of them have aborted; only what was made is kept.
   */
  async matrix(
    labels: readonly string[],
    templates: readonly string[],
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    // The texts themselves may be megabytes.
    const key = digestOf([labels, templates]);
    const make = (abandoned: AbortSignal) => this.makeMatrix(key, labels, templates, abandoned);
    return this.matrices.get(key) ?? this.matricesUnderWay.join(key, make, signal);
  }

  /** The words nearest to each of the context vectors [n, d], nearest first. */
  nearestWords(
    vectors: Float32Array,
    options: { readonly metric: WordMetric; readonly count: number },
  ): Promise<NearWord[][]> {
    return this.inTurn(() => nearestWords(this.open, this.checkpoint, vectors, options));
  }

  /** The text features [C, D] that learned prompts have in this model, normalised. */
  promptFeatures(prompts: LearnedPrompts): Promise<Float32Array> {
    return this.inTurn(() => promptFeatures(this.open, this.checkpoint, prompts));
  }

  private makeMatrix(
    key: string,
    labels: readonly string[],
    templates: readonly string[],
    signal: AbortSignal,
  ): Promise<Float32Array> {
    return this.inTurn(async () => {
      signal.throwIfAborted();
      const made = await zeroShotMatrix(this.open, this.checkpoint, labels, templates, signal);
      this.matrices.set(key, made);
      return made;
    });
  }

  /** What may be long is done one after the other, so that however many ask, images get their share of the device. */
  private inTurn<Made>(make: () => Promise<Made>): Promise<Made> {
    const made = this.turn.then(async () => {
      await requireUnchanged(this.weights);
      return make();
    });
    this.turn = made.catch(() => {});
    return this.used(made);
  }

  private async used<Made>(made: Promise<Made>): Promise<Made> {
    this.uses++;
    try {
      return await made;
    } catch (error) {
      // Opened anew, it is checked anew: its files may have been written again as they were.
      if (error instanceof AppError && error.code === "INCOMPATIBLE_MODEL") this.options.onStale(this);
      throw error;
    } finally {
      this.uses--;
      this.lastUse = performance.now();
    }
  }

  async close(): Promise<void> {
    await this.batcher.close();
    await this.session.close();
  }

  private readonly open = (program: Program): Promise<Session> => {
    const { device, threads } = this.options;
    return openWorkerSession(program, { device, threads, weights: this.weights });
  };

  private async encodeAlone(
    bytes: Uint8Array,
    view: ViewName | undefined,
    signal: AbortSignal,
  ): Promise<EncodedImage> {
    const start = performance.now();
    const pixels = await this.prepare(bytes, view, signal);
    const preprocessMs = performance.now() - start;
    const [result] = await this.batcher.submit([pixels], signal);
    return {
      embedding: result.value,
      preprocessMs,
      queueMs: result.queueMilliseconds,
      inferMs: result.runMilliseconds,
      batchSize: result.batchSize,
    };
  }

  private async prepare(bytes: Uint8Array, view: ViewName | undefined, signal: AbortSignal) {
    const { preprocessing } = this.checkpoint;
    // Small files lie in a buffer that Node shares among many: all of it would go to the other thread.
    const own = new Uint8Array(bytes);
    const image = { bytes: own, limits: this.options.images, preprocessing, view };
    this.preparing++;
    try {
      return await this.pool.run("prepareImage", image, { signal, transfer: [own.buffer] });
    } finally {
      this.preparing--;
    }
  }

  private async encodeBatch(parts: readonly Float32Array[]): Promise<Float32Array[]> {
    this.options.onBatch(parts.length);
    const { height, width } = this.checkpoint.architecture.image.imageSize;
    const pixels = { type: "float32", shape: [parts.length, 3, height, width], parts } as const;
    const { embedding } = await inSpan(
      "encode",
      { attributes: { "antidote.batch.size": parts.length } },
      () => this.session.run({ pixels }, ["embedding"], { giveFeeds: true }),
    );
    const depth = this.checkpoint.architecture.embeddingWidth;
    return parts.map((_, index) =>
      (embedding.data as Float32Array).slice(index * depth, (index + 1) * depth),
    );
  }
}

/** Of work that somebody else had begun, only what was done while the caller waited: the latest of it. */
function asSeenFor(milliseconds: number, image: EncodedImage): EncodedImage {
  const inferMs = Math.min(image.inferMs, milliseconds);
  const queueMs = Math.min(image.queueMs, milliseconds - inferMs);
  const preprocessMs = Math.min(image.preprocessMs, milliseconds - inferMs - queueMs);
  return { ...image, inferMs, queueMs, preprocessMs };
}
