import type { Preview } from "../engine/attacks/preview.ts";
import type { JobQueue } from "../jobs/queue.ts";
import type { BlobStore, Store } from "../store/store.ts";
import { Aliases } from "./aliases.ts";
import type { AttackPreviews, PreviewRequest } from "./attack-previews.ts";
import { type ExportFormat, exportPrompts } from "./bundles/export-prompts.ts";
import { PromptImports } from "./bundles/import-prompts.ts";
import { Classification, type ImageAnswer } from "./classification.ts";
import { type DatasetLimits, Datasets } from "./datasets.ts";
import { DefencePlanner } from "./defence-planner.ts";
import type { Devices } from "./devices.ts";
import { EmbeddingCache } from "./embedding-cache.ts";
import type { Estimates } from "./estimates.ts";
import { Evaluations } from "./evaluations.ts";
import { ImplantPlanner } from "./implant-planner.ts";
import { JobPlanner } from "./job-planner.ts";
import { TenantJobs } from "./jobs.ts";
import { Prompts, type VersionRecord } from "./prompts.ts";
import { meteredImages } from "./quotas/metered-images.ts";
import type { OnRefused } from "./quotas/quota.ts";
import type { UsageMeter } from "./quotas/usage-meter.ts";
import { ReadablePrompts } from "./readable-prompts.ts";
import type { ModelRegistry } from "./registry.ts";
import type { SampleImages } from "./samples.ts";
import { Schedules } from "./schedules/schedules.ts";
import type { Serving } from "./serving.ts";
import { TextFeatures, type VersionText } from "./text-features.ts";
import { ThroughResolver } from "./through.ts";
import { Triggers } from "./triggers.ts";
import type { WebhookPost } from "./webhooks/post.ts";
import { Webhooks } from "./webhooks/webhooks.ts";

/** The only door to a tenant's data: whoever holds it can reach this tenant's, and nobody else's. */
export interface Tenant {
  readonly name: string;
  readonly datasets: Datasets;
  readonly prompts: Prompts;
  readonly aliases: Aliases;
  readonly evaluations: Evaluations;
  readonly jobs: TenantJobs;
  readonly classification: Classification;
  readonly schedules: Schedules;
  readonly webhooks: Webhooks;
  readonly readable: ReadablePrompts;
  /** What a trigger looks like, one of a fit of the tenant's own among them. */
  previewAttack(request: PreviewRequest): Promise<Preview>;
  readonly imports: PromptImports;
  /** The bytes of a version's artifact. */
  artifact(version: VersionRecord, format?: ExportFormat): Promise<Uint8Array>;
  /** What a version answers with. */
  text(version: VersionRecord): Promise<VersionText>;
}

export interface TenantServices {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly queue: JobQueue;
  readonly models: ModelRegistry;
  readonly devices: Devices;
  readonly estimates: Estimates;
  readonly serving: Serving;
  readonly samples: SampleImages;
  readonly previews: AttackPreviews;
  readonly limits: DatasetLimits & { readonly classifyImages: number; readonly embeddingCacheBytes: number };
  readonly webhookPost: WebhookPost;
  readonly meter: UsageMeter;
  /** Whether operators may have poisoned models made. */
  readonly attacksAllowed: boolean;
  readonly onImages: (answers: readonly ImageAnswer[]) => void;
  /** Hears of what does not fit into what tenants may store. */
  readonly onRefused: OnRefused;
}

/** Opens tenants, each once. Models, worker threads and caches are shared; data is not. */
export class Tenants {
  private readonly opened = new Map<string, Tenant>();
  private readonly embeddings: EmbeddingCache;
  private readonly features: TextFeatures;
  private readonly readable: ReadablePrompts;

  constructor(private readonly services: TenantServices) {
    this.embeddings = new EmbeddingCache(services.limits.embeddingCacheBytes);
    this.features = new TextFeatures(services.blobs);
    this.readable = new ReadablePrompts({ ...services, features: this.features });
  }

  open(name: string): Tenant {
    const tenant = this.opened.get(name) ?? this.make(name);
    this.opened.set(name, tenant);
    return tenant;
  }

  private make(name: string): Tenant {
    const { store, blobs, queue, models, devices, estimates, serving, samples, limits, onImages, meter } =
      this.services;
    const { features, embeddings, readable } = this;
    const { onRefused } = this.services;
    const datasets = new Datasets(store, blobs, name, limits, onRefused);
    const prompts = new Prompts(store, name, onRefused);
    const aliases = new Aliases(store, name);
    const through = new ThroughResolver(prompts, aliases);
    const triggers = new Triggers(queue, name);
    const planner = new JobPlanner({ models, devices, datasets, through, triggers });
    const allowed = this.services.attacksAllowed;
    const defences = new DefencePlanner({ planner, models });
    const implants = new ImplantPlanner({ allowed, models, devices, datasets, through, triggers });
    return {
      name,
      datasets,
      prompts,
      aliases,
      evaluations: new Evaluations(store, name),
      jobs: new TenantJobs({
        tenant: name,
        store,
        queue,
        prompts,
        planner,
        implants,
        defences,
        estimates,
        meter,
      }),
      classification: new Classification({
        tenant: name,
        models,
        serving,
        samples,
        through,
        features,
        embeddings,
        mostImages: limits.classifyImages,
        metered: (images, answer) => meteredImages(meter, name, images, answer),
        onImages,
      }),
      schedules: new Schedules({ tenant: name, store, datasets, prompts, aliases }),
      webhooks: new Webhooks(store, name, this.services.webhookPost),
      readable,
      previewAttack: (request) => this.services.previews.preview(request, triggers),
      imports: new PromptImports({ store, blobs, models, serving, prompts }),
      artifact: (version, format = "SAFETENSORS") => exportPrompts(blobs, version, format),
      text: (version) => features.read(version),
    };
  }
}
