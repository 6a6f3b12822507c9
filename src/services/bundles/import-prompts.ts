import { row } from "../../engine/cbpt/features.ts";
import { promptTokensDigest } from "../../engine/cbpt/prompt-tokens.ts";
import type { LearnedText } from "../../engine/cbpt/purified.ts";
import type { Checkpoint } from "../../engine/clip/checkpoint.ts";
import { looksLikeSafetensors } from "../../engine/clip/safetensors.ts";
import { looksLikePytorch } from "../../engine/pickle/index.ts";
import { entryPoint } from "../../engine/runtime/entry-point.ts";
import { WorkerPool } from "../../engine/runtime/worker-pool.ts";
import { AppError } from "../../errors.ts";
import type { BlobStore, Store } from "../../store/store.ts";
import { fromField } from "../input-field.ts";
import { checkName } from "../names.ts";
import { assertPromptCount } from "../prompt-count.ts";
import type { Prompts, VersionRecord } from "../prompts.ts";
import type { ModelRecord, ModelRegistry } from "../registry.ts";
import type { ServedModel, Serving } from "../serving.ts";
import type { Bundle } from "./bundle.ts";
import type { SealedBundle } from "./bundle-tasks.ts";
import { type BundleTasks, type CoopChoice, readCoopBundle } from "./coop-bundle.ts";
import { versionOf } from "./new-version.ts";
import { invalid } from "./read-bundle.ts";

export interface ImportChoice {
  readonly model: string;
  readonly promptSet: string;
  /** A bundle of Antidote's or a checkpoint of CoOp's. */
  readonly file: Uint8Array;
  /** What a checkpoint of CoOp's does not say. */
  readonly coop?: CoopChoice;
  /** The name of the caller's key. */
  readonly by: string;
}

interface ImportOptions {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly models: ModelRegistry;
  readonly serving: Serving;
  readonly prompts: Prompts;
}

/**
 * How far a text feature of a bundle may be from what the hosted model makes of the contexts (both of length 1): other
 * devices and runtimes round differently, a cosine of 0.99995 is the least.
 */
const MOST_DISTANCE = 1e-2;
const MOST_TRIES = 8;

/** Takes prompts that were learned elsewhere among a tenant's own. No alias moves to them by itself. */
export class PromptImports {
  constructor(private readonly options: ImportOptions) {}

  /**
   * The version that the file holds; `isNew` unless the prompt set has it already. Fails with INVALID_BUNDLE or
   * UNSAFE_ARTIFACT where the file is not what it should be, and with INCOMPATIBLE_MODEL where it was made for another
   * model than the named one; with VALIDATION_FAILED where it has more prompts than are served.
   */
  async import(choice: ImportChoice): Promise<{ version: VersionRecord; isNew: boolean }> {
    checkName("The prompt set", choice.promptSet);
    const record = await this.options.models.get(choice.model);
    const model = await this.options.serving.model(record);
    const { bundle, bytes } = await this.read(choice, record, model);
    const artifact = { digest: await this.options.blobs.put(bytes), bytes: bytes.length };
    const version = { ...versionOf(bundle, artifact), importedBy: choice.by };
    return this.keep(choice.promptSet, version);
  }

  private async read(choice: ImportChoice, record: ModelRecord, model: ServedModel): Promise<SealedBundle> {
    const { file, coop } = choice;
    // A header's length can begin like a pickle does.
    const isCoop = looksLikePytorch(file) && !looksLikeSafetensors(file);
    if (coop && !isCoop)
      throw new AppError("VALIDATION_FAILED", "The file is not a checkpoint of CoOp's; leave `coop` out.", {
        path: ["input", "coop"],
      });
    const module = entryPoint(import.meta.url, "bundle-tasks");
    const tasks = new WorkerPool<BundleTasks>(module, { size: 1, capacity: 1 });
    try {
      const sealed = isCoop
        ? await readCoopBundle(tasks, file, coop ?? {}, record, model)
        : await tasks.run("openBundle", file);
      const { labels, templates } = sealed.bundle.manifest;
      await fromField("bundle", () => assertPromptCount(labels.length, templates.length));
      if (isCoop) return sealed;
      requireFit(sealed.bundle, record, model.checkpoint);
      await requireFeatures(sealed.bundle, model);
      return sealed;
    } finally {
      await tasks.close();
    }
  }

  private async keep(promptSet: string, made: ReturnType<typeof versionOf>) {
    const { prompts, store } = this.options;
    await prompts.ensureSet(promptSet);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const { version, writes, isNew } = await prompts.plan(promptSet, made);
      if (await store.commit(writes)) return { version, isNew };
    }
    throw new AppError("OVERLOADED", `Prompt set "${promptSet}" kept changing. Try again.`, {
      retryAfterMs: 1000,
    });
  }
}

/** The two digests that say what a model is, and what prompts ask of its tokenizer and its text tower. */
function requireFit({ manifest, tensors }: Bundle, model: ModelRecord, checkpoint: Checkpoint): void {
  const { text, embeddingWidth } = checkpoint.architecture;
  const { classes, contextTokens, contexts, features } = tensors;
  const facts: readonly (readonly [string, unknown, unknown])[] = [
    ["weights", manifest.model.weights, model.weights],
    ["preprocessing", manifest.model.preprocessing, model.preprocessing],
    ["tokens of the labels", manifest.tokenizer, promptTokensDigest(checkpoint.tokenizer, manifest.labels)],
    ["context length", manifest.contextLength, text.contextLength],
    ["width of a token", contexts.length / classes / contextTokens, text.width],
    ["width of an embedding", features.length / classes, embeddingWidth],
  ];
  const wrong = facts.find(([, made, asked]) => made !== asked);
  if (!wrong) return;
  const [what, made, asked] = wrong;
  throw new AppError(
    "INCOMPATIBLE_MODEL",
    `The bundle was made for model "${manifest.model.name}", whose ${what} is ${made}; that of model "${model.name}" is ${asked}. Import it for the model that it was made for.`,
    { what, made, asked },
  );
}

/** Nobody can slip in text features that the contexts do not have: they are computed again and compared. */
async function requireFeatures({ manifest, tensors }: Bundle, model: ServedModel): Promise<void> {
  await requireText(manifest, tensors, model);
  if (tensors.recovery) await requireText(manifest, tensors.recovery, model);
}

async function requireText(
  manifest: Bundle["manifest"],
  { contexts, features }: LearnedText,
  model: ServedModel,
): Promise<void> {
  const { labels } = manifest;
  const expected = await model.promptFeatures({ ...manifest, contexts });
  const width = expected.length / labels.length;
  labels.forEach((label, index) => {
    const distance = distanceOf(row(features, width, index), row(expected, width, index));
    if (distance <= MOST_DISTANCE) return;
    throw invalid(
      `The text feature of "${label}" does not follow from its context vectors: it is ${distance.toPrecision(3)} from what model "${manifest.model.name}" makes of them, and at most ${MOST_DISTANCE} is rounding`,
      { label, distance },
    );
  });
}

const distanceOf = (one: Float32Array, other: Float32Array): number =>
  Math.sqrt(one.reduce((sum, value, index) => sum + (value - other[index]) ** 2, 0));
