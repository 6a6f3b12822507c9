import type { Position } from "../../engine/cbpt/config.ts";
import { contextsFor, requireSameNames } from "../../engine/cbpt/coop.ts";
import { promptTokensDigest } from "../../engine/cbpt/prompt-tokens.ts";
import { DEFAULT_TEMPLATES } from "../../engine/clip/zero-shot.ts";
import type { WorkerPool } from "../../engine/runtime/worker-pool.ts";
import { AppError } from "../../errors.ts";
import { MANIFEST_FORMAT } from "../manifest.ts";
import type { ModelRecord } from "../registry.ts";
import type { ServedModel } from "../serving.ts";
import { manifestSchema } from "./bundle-schema.ts";
import type { SealedBundle } from "./bundle-tasks.ts";
import { invalid } from "./read-bundle.ts";

/** What a checkpoint of CoOp's does not say. */
export interface CoopChoice {
  /** In the order of its training. */
  readonly labels?: readonly string[];
  /** By default END, as in CoOp's own settings. */
  readonly position?: Position;
  /** The undefended prompts to compare with. */
  readonly templates?: readonly string[];
}

export type BundleTasks = typeof import("./bundle-tasks.ts");

/** A checkpoint of CoOp's as a bundle for the model; nothing was measured of it. */
export async function readCoopBundle(
  tasks: WorkerPool<BundleTasks>,
  file: Uint8Array,
  choice: CoopChoice,
  record: ModelRecord,
  model: ServedModel,
): Promise<SealedBundle> {
  const { coop, digest } = await tasks.run("openCoop", file);
  const { contextTokens } = coop;
  const { checkpoint } = model;
  const { text } = checkpoint.architecture;
  const labels = choice.labels ?? coop.labels;
  if (!labels)
    throw new AppError(
      "VALIDATION_FAILED",
      "A checkpoint of CoOp's does not name its classes: give `coop.labels` in the order of its training.",
      { path: ["input", "coop", "labels"] },
    );
  const position = choice.position ?? coop.position ?? "END";
  if (position === "MIDDLE" && contextTokens % 2 === 1)
    throw invalid(`Its ${contextTokens} context vectors cannot stand half before and half after the name`);
  if (coop.width !== text.width)
    throw new AppError(
      "INCOMPATIBLE_MODEL",
      `The checkpoint's context vectors have ${coop.width} values, but those of model "${record.name}" have ${text.width}.`,
      { made: coop.width, asked: text.width },
    );
  const contexts = contextsFor(coop, labels.length);
  if (!contexts.every(Number.isFinite)) throw invalid("Its context vectors are not all finite numbers");
  await requireSameNames(checkpoint, coop, { labels, contextTokens, position });
  const features = await model.promptFeatures({ labels, contextTokens, position, contexts });
  const tensors = { classes: labels.length, contextTokens, contexts, features };
  const { name, weights, preprocessing } = record;
  const manifest = {
    format: MANIFEST_FORMAT,
    model: { name, weights, preprocessing },
    tokenizer: promptTokensDigest(checkpoint.tokenizer, labels),
    contextLength: text.contextLength,
    labels,
    contextTokens,
    position,
    templates: choice.templates?.length ? choice.templates : DEFAULT_TEMPLATES,
    source: { kind: "coop", file: digest },
  } as const;
  const { error } = manifestSchema.omit({ tensors: true }).safeParse(manifest);
  if (error)
    throw invalid(error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
  return tasks.run("sealBundle", { manifest, tensors });
}
