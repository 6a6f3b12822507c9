import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeSafetensors, readFloats, readSafetensors } from "../engine/clip/safetensors.ts";
import type { Measurement } from "../engine/evaluation/protocol.ts";
import type { Device } from "../engine/runtime/device.ts";
import type { ImplantResult } from "../jobs/handlers/implant.ts";
import type { PurifyResult } from "../jobs/handlers/purify.ts";
import type { ImplantSpec } from "../jobs/handlers/spec.ts";
import type { JobRecord } from "../jobs/job.ts";
import type { BlobStore, Store, Write } from "../store/store.ts";
import { Aliases } from "./aliases.ts";
import { canonicalJson, digestOf } from "./canonical.ts";
import { Evaluations } from "./evaluations.ts";
import { evaluateGate, type GateResult } from "./gates.ts";
import type {
  EvaluateJobSpec,
  EvaluationRecord,
  ImplantOutcome,
  PurifyJobSpec,
  PurifyOutcome,
} from "./job-specs.ts";
import { type Manifest, Prompts, type VersionRecord } from "./prompts.ts";
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
    if (job.kind === "purify") return this.purified(job, result as PurifyResult, folder);
    if (job.kind === "evaluate") return this.evaluated(job, result as Measurement);
    if (job.kind === "implant") return this.implanted(job, result as ImplantResult, folder);
    return { result, writes: [] };
  };

  private async purified(job: JobRecord, result: PurifyResult, folder: string): Promise<Completed> {
    const { store } = this.options;
    const { request } = job.spec as PurifyJobSpec;
    const make = await this.versionMaker(job, result, join(folder, result.artifact));
    const planned = await new Prompts(store, job.tenant).plan(request.promptSet, make);
    const gate = evaluateGate(request.gate, result.probe, result.undefendedProbe);
    const promotion = gate.passed
      ? await new Aliases(store, job.tenant).plan({
          promptSet: request.promptSet,
          alias: gate.alias,
          to: planned.version.id,
          by: `job ${job.id}`,
          reason: "The purification succeeded.",
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

  private async versionMaker(
    job: JobRecord,
    result: PurifyResult,
    path: string,
  ): Promise<(number: number) => VersionRecord> {
    const { blobs, code } = this.options;
    const { request, labels, templates, targets, device = this.options.device } = job.spec as PurifyJobSpec;
    const manifest: Manifest = {
      format: "antidote-prompts-1",
      promptSet: request.promptSet,
      model: request.model,
      labels,
      templates,
      ...(targets ? { targets: targets.map((target) => labels[target]) } : {}),
      shots: request.shots,
      dataset: request.dataset,
      config: result.config,
      tensors: await blobs.put(await readFile(path)),
    };
    const bundle = await bundleOf(path, manifest);
    const artifact = { digest: await blobs.put(bundle), bytes: bundle.length };
    const digest = digestOf(manifest);
    const { probe, undefendedProbe } = result;
    const createdAt = new Date().toISOString();
    const id = digest.slice("sha256:".length, "sha256:".length + 32);
    return (number) => ({
      id,
      number,
      digest,
      manifest,
      artifact,
      probe,
      undefendedProbe,
      jobId: job.id,
      code,
      device,
      createdAt,
    });
  }

  /** The model is among the models before the job has succeeded; doing it again finds it there. */
  private async implanted(job: JobRecord, result: ImplantResult, folder: string): Promise<Completed> {
    const { name } = job.spec as ImplantSpec;
    const { name: model } = await this.options.models.adopt(name, join(folder, result.folder));
    const { steps, ca, asr, seconds } = result;
    const outcome: ImplantOutcome = { model, steps, ca, asr, seconds };
    return { result: outcome, writes: [] };
  }

  private async evaluated(job: JobRecord, result: Measurement): Promise<Completed> {
    const { request, labels, attack } = job.spec as EvaluateJobSpec;
    const record: EvaluationRecord = {
      ...result,
      id: job.id,
      labels,
      versionId: request.versionId,
      attack: attack && { kind: attack.kind, target: labels[attack.target] },
    };
    return {
      result: { evaluationId: job.id },
      writes: new Evaluations(this.options.store, job.tenant).plan(record),
    };
  }
}

/** The learned tensors with the manifest beside them: all that another server needs. */
async function bundleOf(path: string, manifest: Manifest): Promise<Uint8Array> {
  const file = await readSafetensors(path);
  const tensors = await Promise.all(
    [...file.tensors].map(async ([name, { shape }]) => ({ name, shape, data: await readFloats(file, name) })),
  );
  return encodeSafetensors(tensors, { manifest: canonicalJson(manifest) });
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
