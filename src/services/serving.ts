import { type LearnedPrompts, promptFeatures } from "../engine/cbpt/prompt-features.ts";
import { type Checkpoint, openCheckpoint } from "../engine/clip/checkpoint.ts";
import type { ImageLimits } from "../engine/clip/decoding.ts";
import { imageProgram } from "../engine/clip/programs.ts";
import { zeroShotMatrix } from "../engine/clip/zero-shot.ts";
import { float32 } from "../engine/onnx/tensor.ts";
import type { Device } from "../engine/runtime/device.ts";
import { entryPoint } from "../engine/runtime/entry-point.ts";
import { MicroBatcher } from "../engine/runtime/micro-batcher.ts";
import type { Program } from "../engine/runtime/program.ts";
import type { Session } from "../engine/runtime/session.ts";
import { WorkerPool } from "../engine/runtime/worker-pool.ts";
import { openWorkerSession } from "../engine/runtime/worker-session.ts";
import { AppError } from "../errors.ts";
import { digestOf } from "./canonical.ts";
import { LeastRecent } from "./least-recent.ts";
import type { ModelRecord } from "./registry.ts";

export interface ServingOptions {
  readonly device: Device;
  readonly threads: number;
  readonly images: ImageLimits;
  /** Most images that may wait for a model. */
  readonly capacity: number;
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

const LARGEST_BATCH = 64;
const MATRICES_KEPT = 64;

/** The models in memory. One is loaded once, by the first image that needs it, however many ask at the same time. */
export class Serving {
  private readonly models = new Map<string, Promise<ServedModel>>();
  private readonly pool: WorkerPool<ImageTasks>;

  constructor(private readonly options: ServingOptions) {
    this.pool = new WorkerPool<ImageTasks>(entryPoint(import.meta.url, "../engine/clip/image-tasks"), {
      size: Math.max(1, Math.min(options.threads, 8)),
      capacity: options.capacity,
    });
  }

  /** Fails as `openCheckpoint` does; the next call tries again. */
  async model(record: ModelRecord): Promise<ServedModel> {
    if (record.trust === "QUARANTINED")
      throw new AppError("FORBIDDEN", `Model "${record.name}" is quarantined and answers nothing.`);
    const key = keyOf(record);
    const known = this.models.get(key);
    if (known) return known;
    const opening = ServedModel.open(record, this.pool, this.options);
    this.models.set(key, opening);
    opening.catch(() => this.models.delete(key));
    return opening;
  }

  isLoaded(record: ModelRecord): boolean {
    return this.models.has(keyOf(record));
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.models.values());
    this.models.clear();
    await Promise.all(
      opened.map((model) => (model.status === "fulfilled" ? model.value.close() : undefined)),
    );
    await this.pool.close();
  }
}

const keyOf = ({ folder, weights, preprocessing }: ModelRecord): string =>
  `${folder} ${weights} ${preprocessing}`;

/** A model that answers: its image encoder in a worker thread, and the text matrices that were asked for. */
export class ServedModel {
  private readonly batcher: MicroBatcher<Float32Array, Float32Array>;
  private readonly matrices = new LeastRecent<Promise<Float32Array>>(MATRICES_KEPT);

  private constructor(
    readonly checkpoint: Checkpoint,
    private readonly session: Session,
    private readonly pool: WorkerPool<ImageTasks>,
    private readonly options: ServingOptions,
  ) {
    this.batcher = new MicroBatcher({
      run: (batch) => this.encodeBatch(batch),
      maximumBatch: LARGEST_BATCH,
      capacity: options.capacity,
    });
  }

  static async open(
    record: ModelRecord,
    pool: WorkerPool<ImageTasks>,
    options: ServingOptions,
  ): Promise<ServedModel> {
    const checkpoint = await openCheckpoint(record.folder);
    const prepared = digestOf(checkpoint.preprocessing) === record.preprocessing;
    if (!prepared || `sha256:${await checkpoint.weightsDigest()}` !== record.weights)
      throw new AppError(
        "INCOMPATIBLE_MODEL",
        `The ${prepared ? "weights" : "preprocessing"} of model "${record.name}" changed after it was registered. Register it again.`,
      );
    const session = await openWorkerSession(imageProgram(checkpoint, { batch: "dynamic" }), options);
    return new ServedModel(checkpoint, session, pool, options);
  }

  /** Throws OVERLOADED when so many images more would not be taken. */
  assertRoom(images: number): void {
    this.batcher.assertRoom(images);
  }

  /** Fails with the image's own problem, or with OVERLOADED. */
  async encode(bytes: Uint8Array, signal?: AbortSignal): Promise<EncodedImage> {
    const start = performance.now();
    const { preprocessing } = this.checkpoint;
    const image = { bytes, limits: this.options.images, preprocessing };
    const pixels = await this.pool.run("prepareImage", image, { signal });
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

  /** The undefended text matrix [C, D] of labels through templates. */
  matrix(labels: readonly string[], templates: readonly string[]): Promise<Float32Array> {
    const key = JSON.stringify([labels, templates]);
    const known = this.matrices.get(key);
    if (known) return known;
    const made = zeroShotMatrix(this.open, this.checkpoint, labels, templates);
    this.matrices.set(key, made);
    made.catch(() => this.matrices.delete(key));
    return made;
  }

  /** The text features [C, D] that learned prompts have in this model, normalised. */
  promptFeatures(prompts: LearnedPrompts): Promise<Float32Array> {
    return promptFeatures(this.open, this.checkpoint, prompts);
  }

  async close(): Promise<void> {
    await this.batcher.close();
    await this.session.close();
  }

  private readonly open = (program: Program): Promise<Session> => {
    const { device, threads } = this.options;
    return openWorkerSession(program, { device, threads });
  };

  private async encodeBatch(batch: readonly Float32Array[]): Promise<Float32Array[]> {
    const { height, width } = this.checkpoint.architecture.image.imageSize;
    const size = 3 * height * width;
    const pixels = new Float32Array(batch.length * size);
    batch.forEach((image, index) => {
      pixels.set(image, index * size);
    });
    const feeds = { pixels: float32([batch.length, 3, height, width], pixels) };
    const { embedding } = await this.session.run(feeds, ["embedding"], { giveFeeds: true });
    const depth = this.checkpoint.architecture.embeddingWidth;
    return batch.map((_, index) =>
      (embedding.data as Float32Array).slice(index * depth, (index + 1) * depth),
    );
  }
}
