import { createHash } from "node:crypto";
import DataLoader from "dataloader";
import { margin, type Scores, topK } from "../engine/clip/zero-shot.ts";
import { abortable } from "../engine/runtime/abortable.ts";
import type { ViewName } from "../engine/second-look/views.ts";
import { AppError } from "../errors.ts";
import { Deadline } from "./deadline.ts";
import type { EmbeddingCache } from "./embedding-cache.ts";
import { type ImageProblemCode, type ImageSource, imageProblemOf, readImage } from "./image-source.ts";
import type { VersionRecord } from "./prompts.ts";
import type { ModelRecord, ModelRegistry } from "./registry.ts";
import type { SampleImages } from "./samples.ts";
import { type ImageScores, type Scorer, type Suspicion, scorerOf } from "./scorer.ts";
import { lookAgain, type View } from "./second-look.ts";
import type { EncodedImage, ServedModel, Serving } from "./serving.ts";
import type { TextFeatures } from "./text-features.ts";
import type { Through, ThroughChoice, ThroughResolver } from "./through.ts";

export interface ClassifyRequest {
  readonly images: readonly ImageSource[];
  readonly model?: string;
  readonly through?: ThroughChoice;
  readonly topK: number;
  readonly labels?: readonly string[];
  readonly shadow?: ThroughChoice;
  /** Whether images that may bear a trigger are looked at again; they are when absent. */
  readonly secondLook?: boolean;
  /** Milliseconds from now after which nobody needs the answer. */
  readonly deadlineMs?: number;
  /** Aborted when the caller has gone. */
  readonly signal?: AbortSignal;
}

export interface ScoredLabel {
  readonly label: string;
  readonly probability: number;
  readonly logit: number;
}

export type ImageAnswer =
  | {
      readonly kind: "predicted";
      readonly labels: readonly ScoredLabel[];
      readonly margin: number;
      readonly shadow?: readonly ScoredLabel[];
      readonly disagreement?: boolean;
      readonly suspicion?: Suspicion;
      readonly recovered: boolean;
      /** That a second look was satisfied with. */
      readonly view?: ViewName;
      readonly cached: boolean;
    }
  | { readonly kind: "rejected"; readonly code: ImageProblemCode; readonly message: string };

export interface ClassifyAnswer {
  readonly answers: readonly ImageAnswer[];
  readonly served?: VersionRecord;
  readonly model: ModelRecord;
  readonly timing: {
    readonly queueMs: number;
    readonly preprocessMs: number;
    readonly inferMs: number;
    readonly batchSize: number;
  };
}

interface ClassificationOptions {
  readonly tenant: string;
  readonly models: ModelRegistry;
  readonly serving: Serving;
  readonly samples: SampleImages;
  readonly through: ThroughResolver;
  readonly features: TextFeatures;
  readonly embeddings: EmbeddingCache;
  readonly mostImages: number;
  /** Counts a request's images against the tenant's quota; QUOTA_EXCEEDED, with nothing begun, past it. */
  readonly metered: (images: number, answer: () => Promise<ClassifyAnswer>) => Promise<ClassifyAnswer>;
  readonly onImages: (answers: readonly ImageAnswer[]) => void;
}

const MOST_LABELS = 1000;

/** An image's embedding. */
interface EncodedOne {
  readonly kind: "encoded";
  readonly image: Digested;
  readonly embedding: Float32Array;
  readonly fresh?: EncodedImage;
  readonly cached: boolean;
}

/** The same, and what is said of it. */
type SeenOne = EncodedOne & ImageScores;

type Rejected = ImageAnswer & { readonly kind: "rejected" };

/** An image's embedding, or what is wrong with the image. */
type Encoded = EncodedOne | Rejected;

/** Answers a tenant's images. Every set of prompts scores the same embedding, so a shadow costs almost nothing. */
export class Classification {
  constructor(private readonly options: ClassificationOptions) {}

  /**
   * One broken image never fails the others; what concerns the whole request does: OVERLOADED at once when its images
   * would wait too long, DEADLINE_EXCEEDED when the deadline passes. Work that has not begun by then is not begun.
   */
  async classify(request: ClassifyRequest): Promise<ClassifyAnswer> {
    this.check(request);
    const deadline = new Deadline(request.deadlineMs, request.signal);
    try {
      return await abortable(this.answer(request, deadline), deadline.signal);
    } finally {
      deadline.end();
    }
  }

  private async answer(request: ClassifyRequest, deadline: Deadline): Promise<ClassifyAnswer> {
    // Uploads are received one after the other, so all are read at once, before anything else is waited for.
    const received = request.images.map((source) => this.receive(source));
    await Promise.all(received);
    return this.options.metered(request.images.length, async () =>
      this.score(request, await Promise.all(received), deadline),
    );
  }

  private async score(
    request: ClassifyRequest,
    images: readonly (Uint8Array | Rejected)[],
    { signal, leisure }: Deadline,
  ): Promise<ClassifyAnswer> {
    const through = request.through
      ? await this.options.through.resolve(request.through)
      : await this.options.through.standard(() => this.lackedByTemplates(request));
    const record = await this.modelFor(through, request.model);
    const labels = labelsOf(through, request.labels);
    const model = await this.options.serving.model(record);
    model.assertRoom(request.images.length);
    const main = await scorerOf(model, through, labels, this.options.features, signal);
    const shadow = await this.shadowOf(request.shadow, model, record, { through, labels, signal });
    const encoded = await this.encodeAll(model, record, images, signal);
    const seen = encoded.map((one) => (one.kind === "rejected" ? one : { ...one, ...main(one.embedding) }));
    const doubted = request.secondLook === false ? [] : seen.filter(isSeenAndDoubted);
    const again = await this.lookAgain(model, record, doubted, { scorer: main, leisure });
    const answers = seen.map((one): ImageAnswer => {
      if (one.kind === "rejected") return one;
      const shadowed = shadow ? shadow(one.embedding).scores : one.undefended;
      const view = again.get(one);
      const answered = answer(labels, { ...one, ...view }, shadowed, request.topK);
      return { ...answered, view: view?.view, cached: one.cached };
    });
    this.options.onImages(answers);
    const served = through.kind === "version" ? through.version : undefined;
    return { answers, served, model: record, timing: timingOf(encoded) };
  }

  private check({ images, topK: count, labels }: ClassifyRequest): void {
    const { mostImages } = this.options;
    if (images.length < 1 || images.length > mostImages)
      throw new AppError(
        "VALIDATION_FAILED",
        `A request has 1 to ${mostImages} images; this one has ${images.length}.`,
      );
    if (!Number.isInteger(count) || count < 1 || count > MOST_LABELS)
      throw new AppError("VALIDATION_FAILED", `topK must be a whole number from 1 to ${MOST_LABELS}.`);
    if (!labels) return;
    if (labels.length < 1 || labels.length > MOST_LABELS)
      throw new AppError(
        "VALIDATION_FAILED",
        `There can be 1 to ${MOST_LABELS} labels; these are ${labels.length}.`,
      );
    if (new Set(labels).size !== labels.length)
      throw new AppError("VALIDATION_FAILED", "A label is given twice.");
    if (labels.some((label) => label.trim() === "" || label.length > 200))
      throw new AppError("VALIDATION_FAILED", "A label has 1 to 200 characters.");
  }

  /** What a request has yet to give to be answered through the undefended templates. */
  private async lackedByTemplates({ model, labels }: ClassifyRequest): Promise<string> {
    const isAmbiguous = model === undefined && (await this.options.models.list()).length !== 1;
    return [
      ...(isAmbiguous ? ["`modelId`"] : []),
      ...(labels ? [] : ["`labels`"]),
      "`through: { templates: [] }`",
    ].join(", ");
  }

  private async modelFor(through: Through, name: string | undefined): Promise<ModelRecord> {
    const { models } = this.options;
    if (through.kind === "version") {
      const model = name === undefined ? await models.ofVersion(through.version) : await models.get(name);
      await models.assertFits(through.version, model);
      return model;
    }
    if (name !== undefined) return models.get(name);
    const all = await models.list();
    if (all.length === 1) return all[0];
    const names = all.map((model) => model.name).join(", ");
    throw new AppError("VALIDATION_FAILED", `Give a modelId: there are ${all.length} models (${names}).`);
  }

  /** By default, what a version answers is shadowed by the undefended prompts; undefined where its scorer looks at them. */
  private async shadowOf(
    choice: ThroughChoice | undefined,
    model: ServedModel,
    record: ModelRecord,
    {
      through,
      labels,
      signal,
    }: { readonly through: Through; readonly labels: readonly string[]; readonly signal: AbortSignal },
  ): Promise<Scorer | undefined> {
    const { features, models } = this.options;
    if (choice) {
      const shadow = await this.options.through.resolve(choice);
      if (shadow.kind === "version") await models.assertFits(shadow.version, record);
      return scorerOf(model, shadow, labels, features, signal);
    }
    if (through.kind === "templates" || labels === through.version.manifest.labels) return undefined;
    const { templates } = through.version.manifest;
    return scorerOf(model, { kind: "templates", templates }, labels, features, signal);
  }

  /** The bytes, or the image's own problem; other errors fail the request. */
  private async receive(source: ImageSource): Promise<Uint8Array | Rejected> {
    return readImage(source, this.options.samples).catch(asRejection);
  }

  /** An image that is there twice is encoded once. */
  private async encodeAll(
    model: ServedModel,
    record: ModelRecord,
    images: readonly (Uint8Array | Rejected)[],
    signal: AbortSignal,
  ): Promise<Encoded[]> {
    const loader = new DataLoader(
      (different: readonly Digested[]) =>
        Promise.all(different.map((image) => this.encode(model, record, image, { signal }))),
      { cacheKeyFn: ({ digest }) => digest, maxBatchSize: this.options.mostImages },
    );
    return Promise.all(
      images.map((image) =>
        image instanceof Uint8Array ? loader.load({ bytes: image, digest: digestOf(image) }) : image,
      ),
    );
  }

  /** The views that answer for images instead. */
  private lookAgain(
    model: ServedModel,
    record: ModelRecord,
    images: readonly SeenOne[],
    options: { readonly scorer: Scorer; readonly leisure: AbortSignal },
  ): Promise<ReadonlyMap<SeenOne, View>> {
    return lookAgain(images, {
      ...options,
      assertRoom: (count) => model.assertRoom(count),
      embeddingOf: async ({ image }, view) => {
        const there = await this.encode(model, record, image, { signal: options.leisure, view });
        return there.kind === "encoded" ? there.embedding : undefined;
      },
    });
  }

  private async encode(
    model: ServedModel,
    record: ModelRecord,
    image: Digested,
    options: { readonly signal: AbortSignal; readonly view?: ViewName },
  ): Promise<Encoded> {
    const { tenant, embeddings } = this.options;
    const { bytes, digest } = image;
    const key = [record.weights, record.preprocessing, digest, options.view ?? ""].join(" ");
    const known = embeddings.get(tenant, key);
    if (known) return { kind: "encoded", image, embedding: known, cached: true };
    try {
      const fresh = await model.encode(bytes, digest, options);
      embeddings.set(tenant, key, fresh.embedding);
      return { kind: "encoded", image, embedding: fresh.embedding, fresh, cached: false };
    } catch (error) {
      return asRejection(error);
    }
  }
}

const isSeenAndDoubted = (one: SeenOne | Rejected): one is SeenOne => one.kind === "encoded" && one.doubted;

interface Digested {
  readonly bytes: Uint8Array;
  readonly digest: string;
}

const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("base64");

function asRejection(error: unknown): Rejected {
  const code = imageProblemOf(error);
  if (code === undefined) throw error;
  return { kind: "rejected", code, message: (error as AppError).message };
}

function labelsOf(through: Through, wanted: readonly string[] | undefined): readonly string[] {
  if (through.kind === "templates") {
    if (wanted) return wanted;
    throw new AppError("VALIDATION_FAILED", "Templates need `labels` to choose from.");
  }
  const known = through.version.manifest.labels;
  const unknown = wanted?.filter((label) => !known.includes(label)) ?? [];
  if (unknown.length === 0) return wanted ?? known;
  throw new AppError(
    "VALIDATION_FAILED",
    `Version ${through.version.id} has no prompts for ${unknown.slice(0, 10).join(", ")}.`,
    { unknown: unknown.slice(0, 10) },
  );
}

function answer(
  labels: readonly string[],
  { scores, suspicion, recovered }: ImageScores,
  shadow: Scores | undefined,
  count: number,
) {
  const best = ranked(labels, scores, count);
  const others = shadow && ranked(labels, shadow, count);
  return {
    kind: "predicted",
    labels: best,
    margin: margin(scores.probabilities),
    shadow: others,
    disagreement: others && others[0].label !== best[0].label,
    suspicion,
    recovered,
  } as const;
}

function ranked(labels: readonly string[], { probabilities, logits }: Scores, count: number): ScoredLabel[] {
  return topK(probabilities, count).map(({ index, probability }) => ({
    label: labels[index],
    probability,
    logit: logits[index],
  }));
}

/** The slowest of the images, which is what the request waited for. */
function timingOf(encoded: readonly Encoded[]): ClassifyAnswer["timing"] {
  const fresh = encoded.flatMap((one) => (one.kind === "encoded" && one.fresh ? [one.fresh] : []));
  const slowest = (of: (image: EncodedImage) => number) =>
    fresh.reduce((most, image) => Math.max(most, of(image)), 0);
  return {
    queueMs: slowest(({ queueMs }) => queueMs),
    preprocessMs: slowest(({ preprocessMs }) => preprocessMs),
    inferMs: slowest(({ inferMs }) => inferMs),
    batchSize: slowest(({ batchSize }) => batchSize),
  };
}
