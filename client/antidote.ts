import type {
  Alias,
  Audit,
  Classification,
  Dataset,
  DatasetAnswer,
  Evaluation,
  Model,
  Purification,
} from "./answers.ts";
import { type AntidoteOptions, Connection, type RequestOptions } from "./connection.ts";
import * as documents from "./documents.ts";
import { notFound } from "./errors.ts";
import { type FileSource, Files, type ImageSource } from "./files.ts";
import { type AnyResult, anyResult, audit, evaluation, Job, purification, type ResultOf } from "./job.ts";
import { done, type Payload } from "./payload.ts";
import type {
  AttackInput,
  AuditInput,
  ClassifyInput,
  Device,
  ExampleInput,
  ExamplesInput,
  PurifyInput,
  RegisterModelInput,
  Through,
} from "./schema.ts";

export interface ClassifyOptions extends RequestOptions, Omit<ClassifyInput, "images"> {}

export interface ListOptions extends RequestOptions {
  /** At most so many, from 1 to 100; by default 20. */
  readonly first?: number;
}

export interface RegisterOptions extends RequestOptions, Omit<RegisterModelInput, "folder"> {}

export interface StartOptions extends RequestOptions {
  /** The same key answers the same job; by default a new one, which the tries of this call share. */
  readonly idempotencyKey?: string;
}

export interface Example {
  readonly label: string;
  readonly image: ImageSource;
}

/** Labelled images one by one, or a .zip, .tar or .tar.gz with a folder for each label. */
export type Examples = readonly Example[] | { readonly archive: FileSource };

export interface EvaluateInput {
  readonly modelId: string;
  readonly datasetId: string;
  readonly through: Through;
  /** Without one, only clean accuracy is measured. */
  readonly attack?: AttackInput;
  /** For templates; by default the dataset's. */
  readonly labels?: readonly string[];
  readonly device?: Device;
}

export interface AliasMove {
  readonly promptSet: string;
  /** By default `live`. */
  readonly alias?: string;
  /** The version's id. */
  readonly to: string;
  /** The version that the alias must be at now; STALE_ALIAS otherwise. */
  readonly expected?: string;
  readonly evidenceId?: string;
  readonly reason?: string;
}

/**
 * An Antidote server, for one key. Everything fails with an AntidoteError, or with the reason of the signal that it
 * was given. What the server refuses for its load is tried again after the wait that it asks for; what may have been
 * done already is sent again only where that cannot do it twice.
 */
export class Antidote {
  private readonly connection: Connection;

  constructor(options: AntidoteOptions) {
    this.connection = new Connection(options);
  }

  /** Classifies one image or many; by default through the `live` alias of the tenant's only prompt set. */
  async classify(
    images: ImageSource | readonly ImageSource[],
    { signal, ...input }: ClassifyOptions = {},
  ): Promise<Classification> {
    const files = new Files();
    const list = Array.isArray(images) ? (images as readonly ImageSource[]) : [images as ImageSource];
    const inputs = await Promise.all(list.map((image, index) => files.image(image, `input.images.${index}`)));
    const variables = { input: { ...input, images: inputs } };
    const operation = { query: documents.CLASSIFY, variables, files };
    return (await this.connection.request<{ classify: Classification }>(operation, { signal })).classify;
  }

  async purify(input: PurifyInput, options?: StartOptions): Promise<Job<Purification>> {
    return this.start(documents.PURIFY, { input }, purification, options);
  }

  /** Looks for a backdoor, without knowing its target. */
  async audit(input: AuditInput, options?: StartOptions): Promise<Job<Audit>> {
    return this.start(documents.AUDIT_MODEL, { input }, audit, options);
  }

  /** Measures a model on a test set, clean and, if an attack is given, triggered. */
  async evaluate(input: EvaluateInput, options?: StartOptions): Promise<Job<Evaluation>> {
    return this.start(documents.EVALUATE, input, evaluation, options);
  }

  /** A job that was started before, perhaps by somebody else of the tenant. Fails with NOT_FOUND. */
  async job(id: string, options?: RequestOptions): Promise<Job<AnyResult>> {
    const job = new Job(this.connection, id, anyResult);
    await job.state(options);
    return job;
  }

  /** The registered models, which every tenant may use. */
  async models({ first = 20, signal }: ListOptions = {}): Promise<readonly Model[]> {
    const operation = { query: documents.MODELS, variables: { first } };
    return (await this.connection.request<{ models: readonly Model[] }>(operation, { signal })).models;
  }

  /** Registers the checkpoint in this folder of the server's models folder, or reads it again. */
  async registerModel(folder: string, { signal, ...input }: RegisterOptions = {}): Promise<Model> {
    const variables = { input: { ...input, folder } };
    const { changed } = await this.connection.request<{ changed: Payload & { readonly model: Model } }>(
      { query: documents.REGISTER_MODEL, variables, repeatable: true },
      { signal },
    );
    return done(changed).model;
  }

  async datasets({ first = 20, signal }: ListOptions = {}): Promise<readonly Dataset[]> {
    const operation = { query: documents.DATASETS, variables: { first } };
    return (await this.connection.request<{ datasets: readonly Dataset[] }>(operation, { signal })).datasets;
  }

  async createDataset(name: string, examples: Examples, options?: RequestOptions): Promise<DatasetAnswer> {
    return this.upload(documents.CREATE_DATASET, { name }, examples, false, options);
  }

  /** Examples that the dataset has already are not added again. */
  async addExamples(datasetId: string, examples: Examples, options?: RequestOptions): Promise<DatasetAnswer> {
    return this.upload(documents.ADD_EXAMPLES, { datasetId }, examples, true, options);
  }

  /** Rolling back is moving it back. */
  async moveAlias({ promptSet, alias, ...move }: AliasMove, options?: RequestOptions): Promise<Alias> {
    const operation = { query: documents.MOVE_ALIAS, variables: { ...move, ref: { promptSet, alias } } };
    const { changed } = await this.connection.request<{ changed: Payload & { alias: Alias } }>(
      operation,
      options,
    );
    return done(changed).alias;
  }

  /** Any other query or mutation; `Data` is what its author knows of the answer. */
  async request<Data>(query: string, variables?: object, options?: RequestOptions): Promise<Data> {
    return this.connection.request<Data>({ query, variables }, options);
  }

  private async start<Result>(
    query: string,
    input: object,
    resultOf: ResultOf<Result>,
    { idempotencyKey = crypto.randomUUID(), signal }: StartOptions = {},
  ): Promise<Job<Result>> {
    const operation = { query, variables: { ...input, idempotencyKey }, repeatable: true };
    const { started } = await this.connection.request<{
      started: Payload & { readonly job: { readonly id: string } | null; readonly replayed: boolean };
    }>(operation, { signal });
    const { job, replayed } = done(started);
    if (!job) throw notFound("job", "that was to be started");
    return new Job(this.connection, job.id, resultOf, replayed);
  }

  private async upload(
    query: string,
    target: object,
    examples: Examples,
    repeatable: boolean,
    options: RequestOptions | undefined,
  ): Promise<DatasetAnswer> {
    const files = new Files();
    const variables = { ...target, examples: await examplesInput(examples, files) };
    const operation = { query, variables, files, repeatable };
    const { changed } = await this.connection.request<{ changed: Payload & DatasetAnswer }>(
      operation,
      options,
    );
    const { dataset, rejected } = done(changed);
    return { dataset, rejected };
  }
}

async function examplesInput(examples: Examples, files: Files): Promise<ExamplesInput> {
  if ("archive" in examples) return { archive: await files.file(examples.archive, "examples.archive") };
  const list = examples.map(
    async ({ label, image }, index): Promise<ExampleInput> => ({
      label,
      image: await files.image(image, `examples.list.${index}.image`),
    }),
  );
  return { list: await Promise.all(list) };
}
