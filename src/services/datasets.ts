import { decodeImage } from "../engine/clip/decoding.ts";
import { concurrently } from "../engine/runtime/concurrently.ts";
import { AppError } from "../errors.ts";
import type { BlobStore, Entry, Store } from "../store/store.ts";
import { type ArchiveFile, readArchive } from "./archives.ts";
import { imageProblemOf } from "./image-source.ts";
import { checkLabel } from "./labels.ts";
import { checkName, isName } from "./names.ts";
import { notFound } from "./not-found.ts";
import type { OnRefused } from "./quotas/quota.ts";
import { StoredBytes } from "./quotas/stored-bytes.ts";
import { mediaType } from "./samples.ts";

/** As stored under `tenants/<tenant>/datasets/<name>`. */
export interface DatasetRecord {
  readonly name: string;
  readonly labels: readonly string[];
  /** Images of each label. */
  readonly counts: readonly number[];
  /** The blob that lists the examples. */
  readonly digest: string;
  readonly createdAt: string;
  /** Of its images, each counted once; absent in records from before it was counted. */
  readonly bytes?: number;
}

/** A stored image and the index of its label. */
export interface StoredExample {
  readonly label: number;
  readonly image: string;
}

/** An example on its way in; `source` is what a complaint about it names. */
export interface IncomingExample {
  readonly source: string;
  readonly label: string;
  readonly read: () => Promise<Uint8Array>;
}

export type Examples =
  | { readonly kind: "list"; readonly examples: readonly IncomingExample[] }
  | { readonly kind: "archive"; readonly read: () => Promise<Uint8Array> };

export interface Rejection {
  readonly source: string;
  readonly message: string;
}

export interface DatasetLimits {
  readonly imageBytes: number;
  readonly imagePixels: number;
  readonly datasetImages: number;
  readonly uploadBytes: number;
}

interface Accepted {
  readonly label: string;
  readonly image: string;
  readonly bytes: number;
}

const DECODED_AT_ONCE = 8;
const MOST_TRIES = 8;

/** A tenant's labelled images. Every image is decoded once before it is stored, so that a job never meets a broken one. */
export class Datasets {
  private readonly prefix: string;
  private readonly stored: StoredBytes;

  constructor(
    private readonly store: Store,
    private readonly blobs: BlobStore,
    tenant: string,
    private readonly limits: DatasetLimits,
    onRefused?: OnRefused,
  ) {
    this.prefix = `tenants/${tenant}/datasets/`;
    this.stored = new StoredBytes(store, tenant, onRefused);
  }

  async list(limit: number, after?: string): Promise<DatasetRecord[]> {
    const range = { limit, after: after === undefined ? undefined : this.prefix + after };
    return (await this.store.list<DatasetRecord>(this.prefix, range)).map(({ value }) => value);
  }

  async find(name: string): Promise<DatasetRecord | undefined> {
    return (await this.entry(name))?.value;
  }

  /** Fails with NOT_FOUND. */
  async get(name: string): Promise<DatasetRecord> {
    const record = await this.find(name);
    if (!record) throw notFound("dataset", name);
    return record;
  }

  async examples(record: DatasetRecord): Promise<StoredExample[]> {
    return JSON.parse(Buffer.from(await this.blobs.get(record.digest)).toString()) as StoredExample[];
  }

  /** Images that cannot be used are left out and told; with none left it fails with VALIDATION_FAILED. */
  async create(name: string, examples: Examples): Promise<{ record: DatasetRecord; rejected: Rejection[] }> {
    checkName("The dataset's name", name);
    if (await this.find(name)) throw taken(name);
    const { accepted, rejected } = await this.accept(examples);
    const empty = { name, labels: [], counts: [], digest: "", createdAt: new Date().toISOString() };
    const record = await this.extend(empty, [], accepted);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      if (await this.commit(record, undefined)) return { record, rejected };
      if (await this.find(name)) throw taken(name);
    }
    throw keptChanging(name);
  }

  /** An image that the dataset already has under the same label is not added again. */
  async add(name: string, examples: Examples): Promise<{ record: DatasetRecord; rejected: Rejection[] }> {
    await this.get(name);
    const { accepted, rejected } = await this.accept(examples);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const entry = await this.entry(name);
      if (!entry) throw notFound("dataset", name);
      const record = await this.extend(entry.value, await this.examples(entry.value), accepted);
      if (await this.commit(record, entry)) return { record, rejected };
    }
    throw keptChanging(name);
  }

  /** Jobs that were started with it go on: they know its images by their digests. Fails with NOT_FOUND. */
  async remove(name: string): Promise<DatasetRecord> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const entry = await this.entry(name);
      if (!entry) throw notFound("dataset", name);
      const freed = await this.stored.plan(-(entry.value.bytes ?? 0), { mustFit: false });
      const removal = { kind: "delete", key: entry.key, expected: entry.revision } as const;
      if (await this.store.commit([removal, ...freed])) return entry.value;
    }
    throw keptChanging(name);
  }

  private async entry(name: string): Promise<Entry<DatasetRecord> | undefined> {
    return isName(name) ? this.store.get<DatasetRecord>(this.prefix + name) : undefined;
  }

  private async commit(record: DatasetRecord, before: Entry<DatasetRecord> | undefined): Promise<boolean> {
    const added = (record.bytes ?? 0) - (before?.value.bytes ?? 0);
    const key = this.prefix + record.name;
    return this.store.commit([
      { kind: "put", key, value: record, expected: before?.revision ?? 0 },
      ...(await this.stored.plan(added, { mustFit: true })),
    ]);
  }

  private async extend(
    record: DatasetRecord,
    stored: readonly StoredExample[],
    accepted: readonly Accepted[],
  ): Promise<DatasetRecord> {
    const labels = [...new Set([...record.labels, ...accepted.map(({ label }) => label)])];
    const indices = new Map(labels.map((label, index) => [label, index]));
    const added = accepted.map(({ label, image }) => ({ label: indices.get(label) ?? 0, image }));
    const examples = [
      ...new Map([...stored, ...added].map((item) => [`${item.label} ${item.image}`, item])).values(),
    ];
    const limit = this.limits.datasetImages;
    if (examples.length > limit) {
      const message = `A dataset has at most ${limit} images; this one would have ${examples.length}.`;
      throw new AppError("QUOTA_EXCEEDED", message, { limit });
    }
    const counts = labels.map(() => 0);
    for (const { label } of examples) counts[label]++;
    const digest = await this.blobs.put(Buffer.from(JSON.stringify(examples)));
    const known = new Set(stored.map(({ image }) => image));
    const fresh = new Map(accepted.map(({ image, bytes }) => [image, bytes]));
    const bytes = [...fresh].reduce(
      (sum, [image, size]) => sum + (known.has(image) ? 0 : size),
      record.bytes ?? 0,
    );
    return { ...record, labels, counts, digest, bytes };
  }

  private async accept(examples: Examples): Promise<{ accepted: Accepted[]; rejected: Rejection[] }> {
    const incoming = examples.kind === "list" ? examples.examples : await this.unpack(await examples.read());
    if (incoming.length > this.limits.datasetImages) {
      const limit = this.limits.datasetImages;
      throw new AppError(
        "QUOTA_EXCEEDED",
        `At most ${limit} images can be added; these are ${incoming.length}.`,
        { limit },
      );
    }
    const outcomes = await concurrently(incoming, DECODED_AT_ONCE, (example) => this.acceptOne(example));
    const rejected = outcomes.filter((outcome) => "message" in outcome);
    const accepted = outcomes.filter((outcome) => "image" in outcome);
    if (accepted.length > 0) return { accepted, rejected };
    const first = rejected[0] ? ` The first (${rejected[0].source}): ${rejected[0].message}` : "";
    throw new AppError("VALIDATION_FAILED", `None of the ${incoming.length} examples can be used.${first}`, {
      rejected: rejected.slice(0, 20),
    });
  }

  private async acceptOne({ source, label, read }: IncomingExample): Promise<Accepted | Rejection> {
    try {
      const bytes = await read();
      const name = checkLabel(label);
      await decodeImage(bytes, {
        maxBytes: this.limits.imageBytes,
        maxPixels: this.limits.imagePixels,
        minSide: 1,
      });
      return { label: name, image: await this.blobs.put(bytes), bytes: bytes.length };
    } catch (error) {
      const concernsOne =
        imageProblemOf(error) || (error instanceof AppError && error.code === "VALIDATION_FAILED");
      if (concernsOne) return { source, message: (error as AppError).message };
      throw error;
    }
  }

  private async unpack(archive: Uint8Array): Promise<IncomingExample[]> {
    const files = await readArchive(archive, {
      bytes: this.limits.uploadBytes,
      entries: 2 * this.limits.datasetImages,
    });
    return files.map(({ path, folder, bytes }) => ({
      source: path,
      label: folder,
      read: () => Promise.resolve(checkArchived({ path, folder, bytes })),
    }));
  }
}

function checkArchived({ path, folder, bytes }: ArchiveFile): Uint8Array {
  if (folder === "") throw new AppError("VALIDATION_FAILED", "It is not in a folder that names its class.");
  if (!mediaType(path))
    throw new AppError("VALIDATION_FAILED", "It is not a .png, .jpg, .jpeg or .webp file.");
  return bytes;
}

const keptChanging = (name: string): AppError =>
  new AppError("OVERLOADED", `Dataset "${name}" kept changing. Try again.`, { retryAfterMs: 1000 });

const taken = (name: string): AppError =>
  new AppError(
    "VALIDATION_FAILED",
    `There is already a dataset "${name}". Use addExamples, or another name.`,
    { name },
  );
