import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readLearned } from "../engine/cbpt/prompt-tensors.ts";
import { readSafetensors } from "../engine/clip/safetensors.ts";
import type { Measurement } from "../engine/evaluation/protocol.ts";
import type { Device } from "../engine/runtime/device.ts";
import type { DefendedPromptsResult, DefendResult } from "../jobs/handlers/defend.ts";
import type { ImplantResult } from "../jobs/handlers/implant.ts";
import type { PurifyResult } from "../jobs/handlers/purify.ts";
import type { ImplantSpec } from "../jobs/handlers/spec.ts";
import type { JobRecord } from "../jobs/job.ts";
import type { BlobStore, Store, Write } from "../store/store.ts";
import { Aliases } from "./aliases.ts";
import { encodeBundle, tensorsDigest } from "./bundles/bundle.ts";
import { versionOf } from "./bundles/new-version.ts";
import { Evaluations } from "./evaluations.ts";
import { evaluateGate, type GateResult } from "./gates.ts";
import type {
  DefendJobSpec,
  DefendOutcome,
  EvaluateJobSpec,
  EvaluationRecord,
  ImplantOutcome,
  PurifyJobSpec,
  PurifyOutcome,
} from "./job-specs.ts";
import { MANIFEST_FORMAT, type Manifest, type PromptSource } from "./manifest.ts";
import { type Evidence, type NewVersion, Prompts } from "./prompts.ts";
import type { ModelRegistry } from "./registry.ts";

export interface Completed {
  readonly result: unknown;
  readonly writes: readonly Write[];
}

interface CompletionOptions {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly models: ModelRegistry;
  /** Version of this program. */
  readonly code: string;
  readonly device: Device;
}

/**
 * Makes of a handler's result what the job's record shows and what is written with its success, in one commit: a
 * server killed at any moment loses nothing and makes nothing twice.
 */
export class JobCompletion {
  constructor(private readonly options: CompletionOptions) {}

  complete = async (job: JobRecord, result: unknown, folder: string): Promise<Completed> => {
    if (job.kind === "purify" || job.kind === "extend")
      return this.purified(job, result as PurifyResult, folder);
    if (job.kind === "evaluate") return this.evaluated(job, result as Measurement);
    if (job.kind === "defend") return this.defended(job, result as DefendResult, folder);
    if (job.kind === "implant") return this.implanted(job, result as ImplantResult, folder);
    return { result, writes: [] };
  };

  /** Fails with INVALID_CONFIGURATION where a model that the job makes could not be taken: it is not to be made in vain. */
  assertTakes = async ({ kind, spec }: JobRecord): Promise<void> => {
    const makesModel =
      kind === "implant" || (kind === "defend" && (spec as DefendJobSpec).name !== undefined);
    if (makesModel) await this.options.models.assertWritable();
  };

  private async purified(job: JobRecord, result: PurifyResult, folder: string): Promise<Completed> {
    const { store } = this.options;
    const { request } = job.spec as PurifyJobSpec;
    const gate = evaluateGate(request.gate, result.probe, result.undefendedProbe);
    const made = await this.versionOf(job, result, join(folder, result.artifact), {
      source: purifySource(job.spec as PurifyJobSpec, result),
      gate: { terms: request.gate, ...gate },
    });
    const planned = await new Prompts(store, job.tenant).plan(request.promptSet, made);
    const promotion = gate.passed
      ? await new Aliases(store, job.tenant).plan({
          promptSet: request.promptSet,
          alias: gate.alias,
          to: planned.version.id,
          by: `job ${job.id}`,
          reason: request.addedTo ? "A class was added." : "The purification succeeded.",
        })
      : [gateFailure(job, gate)];
    const outcome: PurifyOutcome = {
      versionId: planned.version.id,
      gate,
      audit: result.audit,
      probe: result.probe,
      undefendedProbe: result.undefendedProbe,
      seconds: result.seconds,
    };
    return { result: outcome, writes: [...planned.writes, ...promotion] };
  }

  private async versionOf(
    job: JobRecord,
    result: PurifyResult,
    path: string,
    { source, gate }: { source: PromptSource; gate?: Evidence["gate"] },
  ): Promise<NewVersion> {
    const { blobs, code, device } = this.options;
    const spec = job.spec as PurifyJobSpec | DefendJobSpec;
    const shape = { classes: spec.labels.length, contextTokens: result.config.contextTokens };
    const tensors = await readLearned(await readSafetensors(path), shape);
    const manifest = manifestOf(spec, result, source, tensorsDigest(tensors));
    const { probe, undefendedProbe } = result;
    const evidence: Evidence = {
      probe,
      undefendedProbe,
      ...(gate ? { gate } : {}),
      ...(result.tripwire ? { tripwire: result.tripwire } : {}),
      code,
      device: spec.device ?? device,
    };
    const bytes = encodeBundle({ manifest, tensors, evidence });
    const artifact = { digest: await blobs.put(bytes), bytes: bytes.length };
    return { ...versionOf({ manifest, evidence }, artifact), jobId: job.id };
  }

  /** Prompts become a version, which no alias moves to; weights become a model. */
  private async defended(job: JobRecord, result: DefendResult, folder: string): Promise<Completed> {
    const spec = job.spec as DefendJobSpec;
    const { seconds } = result;
    if (result.kind === "weights") {
      const { name: model } = await this.options.models.adopt(spec.name!, join(folder, result.folder));
      return { result: { model, seconds } satisfies DefendOutcome, writes: [] };
    }
    const source = defenceSource(spec, result);
    const made = await this.versionOf(job, result, join(folder, result.artifact), { source });
    const { version, writes } = await new Prompts(this.options.store, job.tenant).plan(
      spec.request.promptSet!,
      made,
    );
    const outcome: DefendOutcome = { versionId: version.id, audit: result.audit, seconds };
    return { result: outcome, writes };
  }

  /** The model is among the models before the job has succeeded; doing it again finds it there. */
  private async implanted(job: JobRecord, result: ImplantResult, folder: string): Promise<Completed> {
    const { name } = job.spec as ImplantSpec;
    const { folder: made, trigger, ...measured } = result;
    const fitted =
      trigger === undefined ? undefined : await this.options.blobs.put(await readFile(join(folder, trigger)));
    const { name: model } = await this.options.models.adopt(name, join(folder, made));
    const outcome: ImplantOutcome = { model, ...measured, fitted };
    return { result: outcome, writes: [] };
  }

  private async evaluated(job: JobRecord, result: Measurement): Promise<Completed> {
    const { request, labels, attack, images } = job.spec as EvaluateJobSpec;
    const record: EvaluationRecord = {
      ...result,
      id: job.id,
      labels,
      versionId: request.versionId,
      ...(request.seen === undefined ? {} : { seenByDefence: { k: request.seen, n: images.length } }),
      attack: attack && { kind: attack.kind, target: labels[attack.target] },
    };
    return {
      result: { evaluationId: job.id },
      writes: new Evaluations(this.options.store, job.tenant).plan(record),
    };
  }
}

function manifestOf(
  { request, labels, templates }: PurifyJobSpec | DefendJobSpec,
  result: PurifyResult,
  source: PromptSource,
  tensors: string,
): Manifest {
  const { config, tokenizer, contextLength } = result;
  return {
    format: MANIFEST_FORMAT,
    model: request.model,
    tokenizer,
    contextLength,
    labels,
    contextTokens: config.contextTokens,
    position: config.position,
    templates,
    source,
    tensors,
  };
}

function purifySource({ request, labels, targets }: PurifyJobSpec, { config }: PurifyResult): PromptSource {
  const { shots, dataset, addedTo } = request;
  const named = targets ? { targets: targets.map((target) => labels[target]) } : {};
  const tuned = { config, shots, dataset, ...named };
  if (!addedTo) return { kind: "cbpt", ...tuned };
  return { kind: "extension", base: addedTo.digest, label: labels[labels.length - 1], ...tuned };
}

/** CBPT gives the same version whether it is asked for as a purification or as a defence. */
function defenceSource(
  { request, defence, parameters }: DefendJobSpec,
  { config }: DefendedPromptsResult,
): PromptSource {
  const { shots, dataset } = request;
  if (defence.startsWith("cbpt-")) return { kind: "cbpt", config, shots, dataset };
  const values = parameters as Record<string, number | string>;
  return { kind: "defence", defence, parameters: values, config, shots, dataset };
}

/** Told among the job's events, so that whoever follows it sees why nothing was promoted. */
function gateFailure(job: JobRecord, { alias, reasons }: GateResult): Write {
  const text = `GATE_FAILED: "${alias}" does not move to the new version. ${reasons.join(" ")}`;
  return {
    kind: "append",
    stream: `tenants/${job.tenant}/jobs/${job.id}/events`,
    value: { at: new Date().toISOString(), kind: "log", level: "warning", text },
  };
}
