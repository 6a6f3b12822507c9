import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Checkpoint, type ClipArchitecture, openCheckpoint } from "../engine/clip/index.ts";
import { AppError } from "../errors.ts";
import type { Store } from "../store/store.ts";
import { digestOf } from "./canonical.ts";
import { checkName, isName } from "./names.ts";
import { notFound } from "./not-found.ts";
import type { VersionRecord } from "./prompts.ts";

export type ModelTrust = "TRUSTED" | "SUSPECT" | "QUARANTINED";

/** As stored under `models/<name>`. Every tenant sees all models; only an operator registers them. */
export interface ModelRecord {
  readonly name: string;
  /** Absolute. */
  readonly folder: string;
  readonly architecture: string;
  /** Digest of the weights. */
  readonly weights: string;
  /** Digest of how images are prepared. */
  readonly preprocessing: string;
  readonly trust: ModelTrust;
}

/** What became of a scan: the folders that hold a usable checkpoint, and why others do not. */
export interface Scan {
  readonly registered: readonly ModelRecord[];
  readonly failed: readonly { readonly name: string; readonly error: AppError }[];
}

const PREFIX = "models/";

/** The checkpoints of the models folder: one folder each, named like the model. */
export class ModelRegistry {
  constructor(
    private readonly store: Store,
    private readonly folder: string,
  ) {}

  /** Registers every usable checkpoint of the folder, and forgets models whose folder is gone. */
  async scan(): Promise<Scan> {
    const folders = (await readdir(this.folder, { withFileTypes: true })).filter((entry) =>
      entry.isDirectory(),
    );
    const names = folders.map(({ name }) => name).filter(isName);
    const gone = (await this.list()).filter(({ name }) => !names.includes(name));
    await this.store.commit(gone.map(({ name }) => ({ kind: "delete", key: PREFIX + name })));
    const outcomes = await Promise.all(
      names.map((name) =>
        this.register(name).catch((error) => {
          if (error instanceof AppError) return { name, error };
          throw error;
        }),
      ),
    );
    return {
      registered: outcomes.filter((outcome) => "folder" in outcome),
      failed: outcomes.filter((outcome) => "error" in outcome),
    };
  }

  /**
   * Reads the checkpoint in the folder of that name. A model that is registered already is read again, and keeps
   * its record when that fails. Fails with NOT_FOUND, INVALID_CHECKPOINT or UNSUPPORTED_ARCHITECTURE.
   */
  async register(name: string, trust?: ModelTrust): Promise<ModelRecord> {
    checkName("The model", name);
    const entries = await readdir(this.folder, { withFileTypes: true });
    if (!entries.some((entry) => entry.isDirectory() && entry.name === name))
      throw missingFolder(name, this.folder);
    const checkpoint = await openCheckpoint(join(this.folder, name));
    const known = await this.find(name);
    const weights = `sha256:${await checkpoint.weightsDigest()}`;
    const record = recordOf(name, checkpoint, weights, trust ?? known?.trust ?? "SUSPECT");
    await this.store.commit([{ kind: "put", key: PREFIX + name, value: record }]);
    return record;
  }

  async list(): Promise<ModelRecord[]> {
    return (await this.store.list<ModelRecord>(PREFIX)).map(({ value }) => value);
  }

  async find(name: string): Promise<ModelRecord | undefined> {
    return isName(name) ? (await this.store.get<ModelRecord>(PREFIX + name))?.value : undefined;
  }

  /** Fails with NOT_FOUND. */
  async get(name: string): Promise<ModelRecord> {
    const record = await this.find(name);
    if (!record) throw notFound("model", name);
    return record;
  }

  /** The model that a version's prompts were made for. Fails with INCOMPATIBLE_MODEL when it is gone or changed. */
  async ofVersion(version: VersionRecord): Promise<ModelRecord> {
    const { name, weights } = version.manifest.model;
    const models = await this.list();
    const found = models.find((model) => model.weights === weights && model.name === name);
    const model = found ?? models.find((other) => other.weights === weights);
    if (model) return model;
    throw new AppError(
      "INCOMPATIBLE_MODEL",
      `Version ${version.id} was made for model "${name}" with weights ${weights}, which is not registered.`,
      { model: name, weights },
    );
  }

  /** Fails with INCOMPATIBLE_MODEL when the version's prompts were made for other weights or another preprocessing. */
  async assertFits(version: VersionRecord, model: ModelRecord): Promise<void> {
    const { weights, preprocessing, name } = version.manifest.model;
    if (model.weights === weights && model.preprocessing === preprocessing) return;
    throw new AppError(
      "INCOMPATIBLE_MODEL",
      `Version ${version.id} was made for model "${name}" and does not fit model "${model.name}".`,
      { made: name, asked: model.name },
    );
  }
}

function recordOf(name: string, checkpoint: Checkpoint, weights: string, trust: ModelTrust): ModelRecord {
  return {
    name,
    folder: checkpoint.folder,
    architecture: describe(checkpoint.architecture),
    weights,
    preprocessing: digestOf(checkpoint.preprocessing),
    trust,
  };
}

function describe({ image, text, embeddingWidth }: ClipArchitecture): string {
  const { height, width } = image.imageSize;
  const tower =
    image.kind === "resnet"
      ? `ModifiedResNet ${image.layers.join("-")}, width ${image.width}`
      : `ViT ${image.layers} layers, width ${image.width}, patch ${image.patchSize}`;
  return `${tower}, ${width}×${height} px; text ${text.layers} layers, width ${text.width}; embedding ${embeddingWidth}`;
}

const missingFolder = (name: string, folder: string): AppError =>
  new AppError("NOT_FOUND", `The models folder has no folder "${name}". Put the checkpoint there first.`, {
    folder: folder.split("/").at(-1),
  });
