import { createHash } from "node:crypto";
import { attackNamed } from "../engine/attacks/index.ts";
import { completeConfig, type Mode } from "../engine/cbpt/config.ts";
import { completeParameters } from "../engine/parameters.ts";
import { AppError } from "../errors.ts";
import type { LabelledImage, PurifySpec } from "../jobs/handlers/spec.ts";
import type { JobEvent, JobKind, JobRecord, JobStatus } from "../jobs/job.ts";
import type { JobQueue } from "../jobs/queue.ts";
import type { BlobStore, Store } from "../store/store.ts";
import { digestOf } from "./canonical.ts";
import type { DatasetRecord, Datasets } from "./datasets.ts";
import type { GateTerms } from "./gates.ts";
import type { AuditJobSpec, EvaluateJobSpec, PurifyJobSpec } from "./job-specs.ts";
import { checkName, isName } from "./names.ts";
import { notFound } from "./not-found.ts";
import type { Prompts } from "./prompts.ts";
import type { ModelRecord, ModelRegistry } from "./registry.ts";
import type { ThroughChoice, ThroughResolver } from "./through.ts";

/** What to look for triggers in, as a caller gives it; local names, not global ids. */
export interface SearchChoice {
  readonly model: string;
  readonly dataset: string;
  readonly labels?: readonly string[];
  readonly templates?: readonly string[];
  readonly shots: number;
  /** Any of CBPT's hyper-parameters. */
  readonly parameters: Record<string, unknown>;
}

export interface PurifyChoice extends SearchChoice {
  readonly promptSet: string;
  readonly mode: Mode;
  readonly gate: GateTerms;
}

export interface EvaluateChoice {
  readonly model: string;
  readonly dataset: string;
  readonly labels?: readonly string[];
  readonly through: ThroughChoice;
  readonly attack?: {
    readonly kind: string;
    readonly target: string;
    readonly parameters: Record<string, unknown>;
  };
}

export interface Started {
  /** Absent in a dry run. */
  readonly job?: JobRecord;
  readonly replayed: boolean;
}

interface TenantJobsOptions {
  readonly tenant: string;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly queue: JobQueue;
  readonly models: ModelRegistry;
  readonly datasets: Datasets;
  readonly prompts: Prompts;
  readonly through: ThroughResolver;
}

interface IdempotencyRecord {
  /** Digest of the input. */
  readonly input: string;
  readonly jobId: string;
}

const MOST_SHOTS = 1000;
const MOST_TRIES = 4;
const POLL_MILLISECONDS = 400;

/** A tenant's long work. */
export class TenantJobs {
  constructor(private readonly options: TenantJobsOptions) {}

  async audit(choice: SearchChoice, idempotencyKey: string): Promise<Started> {
    return this.once("audit", idempotencyKey, choice, () => this.auditSpec(choice));
  }

  /** A dry run checks everything and starts nothing. */
  async purify(choice: PurifyChoice, idempotencyKey: string, by: string, dryRun: boolean): Promise<Started> {
    if (dryRun) {
      await this.purifySpec(choice, by);
      return { replayed: false };
    }
    return this.once("purify", idempotencyKey, choice, async () => {
      const spec = await this.purifySpec(choice, by);
      await this.options.prompts.ensureSet(choice.promptSet);
      return spec;
    });
  }

  async evaluate(choice: EvaluateChoice, idempotencyKey: string): Promise<Started> {
    return this.once("evaluate", idempotencyKey, choice, () => this.evaluateSpec(choice));
  }

  async find(id: string): Promise<JobRecord | undefined> {
    try {
      return isName(id) ? await this.options.queue.get(this.options.tenant, id) : undefined;
    } catch (error) {
      if (error instanceof AppError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  /** Fails with NOT_FOUND. */
  async require(id: string): Promise<void> {
    if (!(await this.find(id))) throw notFound("job", id);
  }

  /** Newest first. */
  async list(limit: number, statuses?: readonly JobStatus[]): Promise<JobRecord[]> {
    const found: JobRecord[] = [];
    for (let after: string | undefined; found.length < limit; ) {
      const page = await this.options.queue.list(this.options.tenant, { limit, after });
      found.push(...page.filter(({ status }) => !statuses || statuses.includes(status)));
      if (page.length < limit) break;
      after = page.at(-1)?.id;
    }
    return found.slice(0, limit);
  }

  position(id: string): number | undefined {
    return this.options.queue.position(id);
  }

  async cancel(id: string): Promise<JobRecord> {
    await this.require(id);
    return this.options.queue.cancel(this.options.tenant, id);
  }

  async resume(id: string): Promise<JobRecord> {
    await this.require(id);
    return this.options.queue.resume(this.options.tenant, id);
  }

  /** The events after `afterSeq`, then each as it happens; completes when the job is finished. */
  events(
    id: string,
    afterSeq: number,
    signal?: AbortSignal,
  ): AsyncIterable<{ seq: number; event: JobEvent }> {
    return this.options.queue.events(this.options.tenant, id, afterSeq, signal);
  }

  /** At most `first` stored events; never waits for more. */
  async storedEvents(
    id: string,
    afterSeq: number,
    first: number,
  ): Promise<{ seq: number; event: JobEvent }[]> {
    const stream = `tenants/${this.options.tenant}/jobs/${id}/events`;
    const entries = await this.options.store.read<JobEvent>(stream, afterSeq, first);
    return entries.map(({ seq, value }) => ({ seq, event: value }));
  }

  /** Each job when its status or progress changes, beginning with those that are not finished. */
  async *changes(signal: AbortSignal): AsyncGenerator<JobRecord> {
    const seen = new Map((await this.list(MOST_WATCHED)).map((job) => [job.id, stateOf(job)]));
    for (const job of await this.list(MOST_WATCHED)) if (job.finishedAt === undefined) yield job;
    while (!signal.aborted) {
      await pause(POLL_MILLISECONDS, signal);
      for (const job of await this.list(MOST_WATCHED)) {
        if (seen.get(job.id) === stateOf(job)) continue;
        seen.set(job.id, stateOf(job));
        yield job;
      }
    }
  }

  /** Starts the job unless the key has started one: then that one, if it was for the same input. */
  private async once(
    kind: JobKind,
    idempotencyKey: string,
    input: unknown,
    makeSpec: () => Promise<unknown>,
  ): Promise<Started> {
    const { store, queue, tenant } = this.options;
    const key = `tenants/${tenant}/idempotency/${kind}/${hashKey(idempotencyKey)}`;
    const digest = digestOf(input);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const known = await store.get<IdempotencyRecord>(key);
      if (known) return { job: await this.replay(known.value, digest, idempotencyKey), replayed: true };
      const spec = await makeSpec();
      const job = await queue
        .enqueue(tenant, kind, spec, ({ id }) => [
          { kind: "put", key, value: { input: digest, jobId: id } satisfies IdempotencyRecord, expected: 0 },
        ])
        .catch(unlessTaken);
      if (job) return { job, replayed: false };
    }
    throw new AppError("OVERLOADED", "Another request with this key is being taken. Try again.", {
      retryAfterMs: 500,
    });
  }

  private async replay({ input, jobId }: IdempotencyRecord, digest: string, key: string): Promise<JobRecord> {
    if (input === digest) return this.options.queue.get(this.options.tenant, jobId);
    throw new AppError(
      "IDEMPOTENCY_CONFLICT",
      `The idempotency key "${key.slice(0, 80)}" has started another job, with other input. Use a new key.`,
    );
  }

  private async auditSpec(choice: SearchChoice): Promise<AuditJobSpec> {
    const { model, dataset, ...spec } = await this.search(choice, "UNIVERSAL");
    return { ...spec, request: { model: facts(model), shots: choice.shots, dataset: dataset.digest } };
  }

  private async purifySpec(choice: PurifyChoice, by: string): Promise<PurifyJobSpec> {
    checkName("The prompt set", choice.promptSet);
    checkGate(choice.gate);
    const { model, dataset, ...spec } = await this.search(choice, choice.mode);
    const { promptSet, gate, shots } = choice;
    return { ...spec, request: { model: facts(model), shots, dataset: dataset.digest, promptSet, gate, by } };
  }

  private async search(
    choice: SearchChoice,
    mode: Mode,
  ): Promise<PurifySpec & { model: ModelRecord; dataset: DatasetRecord }> {
    const model = await this.options.models.get(choice.model);
    const dataset = await this.options.datasets.get(choice.dataset);
    if (!Number.isInteger(choice.shots) || choice.shots < 1 || choice.shots > MOST_SHOTS)
      throw new AppError("VALIDATION_FAILED", `shots must be a whole number from 1 to ${MOST_SHOTS}.`);
    const config = completeConfig(mode, choice.parameters);
    const labels = chooseLabels(dataset, choice.labels);
    const shots = await this.images(dataset, labels, choice.shots);
    const templates = this.options.through.templates(choice.templates);
    return {
      model,
      dataset,
      modelFolder: model.folder,
      labels: [...labels],
      templates: [...templates],
      shots,
      config,
      mode,
    };
  }

  private async evaluateSpec(choice: EvaluateChoice): Promise<EvaluateJobSpec> {
    const { blobs, through: resolver } = this.options;
    const model = await this.options.models.get(choice.model);
    const dataset = await this.options.datasets.get(choice.dataset);
    const through = await resolver.resolve(choice.through);
    if (through.kind === "version") await this.options.models.assertFits(through.version, model);
    const known = through.kind === "version" ? through.version.manifest.labels : undefined;
    const labels = known ?? choice.labels ?? dataset.labels;
    if (known && choice.labels && digestOf(known) !== digestOf(choice.labels))
      throw new AppError(
        "VALIDATION_FAILED",
        "A prompt version is evaluated on all of its own labels; leave `labels` out.",
      );
    const images = await this.images(dataset, labels, Number.POSITIVE_INFINITY, {
      unknownToo: known === undefined,
    });
    return {
      modelFolder: model.folder,
      labels: [...labels],
      through:
        through.kind === "version"
          ? { kind: "matrix", matrix: blobs.path(through.version.artifact.digest) }
          : { kind: "templates", templates: [...through.templates] },
      images,
      attack: choice.attack && attackSpec(choice.attack, labels),
      request: {
        versionId: through.kind === "version" ? through.version.id : undefined,
        dataset: dataset.digest,
      },
    };
  }

  /** The first `perLabel` examples of each of the labels, with the index that the label has among them. */
  private async images(
    dataset: DatasetRecord,
    labels: readonly string[],
    perLabel: number,
    options: { unknownToo?: boolean } = {},
  ): Promise<LabelledImage[]> {
    const examples = await this.options.datasets.examples(dataset);
    const images = labels.flatMap((label, index) => {
      const place = dataset.labels.indexOf(label);
      return examples
        .filter((example) => example.label === place)
        .slice(0, perLabel)
        .map(({ image }) => ({ blob: this.options.blobs.path(image), label: index }));
    });
    if (images.length > 0) return images;
    const what = options.unknownToo ? "labels" : "prompt version's labels";
    throw new AppError("VALIDATION_FAILED", `Dataset "${dataset.name}" has no image of any of the ${what}.`);
  }
}

const MOST_WATCHED = 100;

const stateOf = ({ status, progress, attempts }: JobRecord): string => `${status} ${progress} ${attempts}`;

function hashKey(key: string): string {
  if (key.length === 0 || key.length > 255)
    throw new AppError("VALIDATION_FAILED", "An idempotency key has 1 to 255 characters.");
  return createHash("sha256").update(key).digest("hex");
}

/** Somebody with the same key came first: look again at what they started. */
function unlessTaken(error: unknown): undefined {
  if (error instanceof AppError && error.code === "IDEMPOTENCY_CONFLICT") return undefined;
  throw error;
}

const facts = ({ name, weights, preprocessing }: ModelRecord) => ({ name, weights, preprocessing });

function chooseLabels(dataset: DatasetRecord, wanted: readonly string[] | undefined): readonly string[] {
  const labels = wanted ?? dataset.labels;
  if (new Set(labels).size !== labels.length)
    throw new AppError("VALIDATION_FAILED", "A label is given twice.");
  if (labels.length < 2) throw new AppError("VALIDATION_FAILED", "At least two labels are needed.");
  const missing = labels.filter((label) => !dataset.labels.includes(label));
  if (missing.length === 0) return labels;
  throw new AppError(
    "VALIDATION_FAILED",
    `Dataset "${dataset.name}" has no examples of ${missing.slice(0, 10).join(", ")}. Add some, or leave these labels out.`,
    { missing },
  );
}

function attackSpec(
  { kind, target, parameters }: NonNullable<EvaluateChoice["attack"]>,
  labels: readonly string[],
): EvaluateJobSpec["attack"] {
  const index = labels.indexOf(target);
  if (index < 0)
    throw new AppError("VALIDATION_FAILED", `The attack's target "${target}" is not among the labels.`);
  completeParameters(`attack "${kind}"`, attackNamed(kind).defaults, parameters);
  return { kind, target: index, parameters };
}

function checkGate({ maxAsr95, minCaDelta, promoteAlias }: GateTerms): void {
  checkName("The alias", promoteAlias);
  if (maxAsr95 !== undefined && !(maxAsr95 >= 0 && maxAsr95 <= 1))
    throw new AppError("VALIDATION_FAILED", "gate.maxAsr95 must be a number from 0 to 1.");
  if (minCaDelta !== undefined && !(minCaDelta >= -1 && minCaDelta <= 1))
    throw new AppError("VALIDATION_FAILED", "gate.minCaDelta must be a number from -1 to 1.");
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
