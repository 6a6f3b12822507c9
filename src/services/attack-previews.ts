import type { Preview } from "../engine/attacks/preview.ts";
import type { ImageLimits } from "../engine/clip/decoding.ts";
import { entryPoint } from "../engine/runtime/entry-point.ts";
import { WorkerPool } from "../engine/runtime/worker-pool.ts";
import { AppError } from "../errors.ts";
import type { BlobStore } from "../store/store.ts";
import { type ImageSource, readImage } from "./image-source.ts";
import type { SampleImages } from "./samples.ts";
import type { Triggers } from "./triggers.ts";

type PreviewTasks = Pick<typeof import("../engine/attacks/preview.ts"), "previewAttack">;

export interface PreviewRequest {
  readonly kind: string;
  readonly parameters: Record<string, unknown>;
  /** The job that fitted the trigger; a local name. */
  readonly trigger?: string;
  readonly image: ImageSource;
  readonly side: number;
  readonly amplification: number;
}

/** The largest picture, and the most that waits: stamping takes up to a second. */
const LARGEST_SIDE = 448;
const WAITING = 8;

/** Shows what triggers look like, in a thread of its own that is started by the first request. */
export class AttackPreviews {
  private pool: WorkerPool<PreviewTasks> | undefined;

  constructor(
    private readonly options: {
      readonly blobs: Pick<BlobStore, "file">;
      readonly samples: SampleImages;
      readonly imageLimits: ImageLimits;
    },
  ) {}

  /** Fails with VALIDATION_FAILED for parameters, sizes and images that cannot be, and as `Triggers.digest` does. */
  async preview(request: PreviewRequest, triggers: Triggers): Promise<Preview> {
    const { kind, parameters, trigger, image, side, amplification } = request;
    if (!Number.isInteger(side) || side < 8 || side > LARGEST_SIDE)
      throw new AppError("VALIDATION_FAILED", `size must be a whole number from 8 to ${LARGEST_SIDE}.`);
    if (!(amplification >= 1 && amplification <= 100))
      throw new AppError("VALIDATION_FAILED", "amplification must be a number from 1 to 100.");
    const { blobs, samples, imageLimits: limits } = this.options;
    const fitted = trigger === undefined ? undefined : await blobs.file(await triggers.digest(kind, trigger));
    const bytes = await readImage(image, samples);
    this.pool ??= new WorkerPool<PreviewTasks>(entryPoint(import.meta.url, "../engine/attacks/preview"), {
      size: 1,
      capacity: WAITING,
    });
    return this.pool.run("previewAttack", { kind, parameters, fitted, bytes, limits, side, amplification });
  }

  async close(): Promise<void> {
    await this.pool?.close();
  }
}
