/** How records look as GraphQL objects. Each function makes one; what costs more is left to field resolvers. */
import type { Attack as EngineAttack } from "../engine/attacks/index.ts";
import type { Preview } from "../engine/attacks/preview.ts";
import { type Count, rate } from "../engine/evaluation/rate.ts";
import type { Device } from "../engine/runtime/device.ts";
import type { AuditResult } from "../jobs/handlers/audit.ts";
import type { JobEvent as JobEventRecord, JobRecord } from "../jobs/job.ts";
import { Alias } from "../models/alias.ts";
import { ApiKey } from "../models/api-key.ts";
import { Asset } from "../models/asset.ts";
import type { Attack } from "../models/attack.ts";
import type { AttackPreview } from "../models/attack-preview.ts";
import type { Audit } from "../models/audit.ts";
import { AuditJob } from "../models/audit-job.ts";
import { CheckpointSaved } from "../models/checkpoint-saved.ts";
import type { ClassAudit } from "../models/class-audit.ts";
import { Dataset } from "../models/dataset.ts";
import { DefenceJob } from "../models/defence-job.ts";
import { Evaluation } from "../models/evaluation.ts";
import { EvaluationJob } from "../models/evaluation-job.ts";
import { ImplantJob } from "../models/implant-job.ts";
import type { Job } from "../models/job.ts";
import type { JobEvent } from "../models/job-event.ts";
import { LogLine } from "../models/log-line.ts";
import { Model } from "../models/model.ts";
import type { Plan } from "../models/plan.ts";
import { PromptSet } from "../models/prompt-set.ts";
import { PromptVersion } from "../models/prompt-version.ts";
import { PurificationJob } from "../models/purification-job.ts";
import type { Rate } from "../models/rate.ts";
import { Schedule } from "../models/schedule.ts";
import { ScheduleOutcome } from "../models/schedule-outcome.ts";
import type { SelfTest } from "../models/self-test.ts";
import { StatusChanged } from "../models/status-changed.ts";
import { StepMetrics } from "../models/step-metrics.ts";
import { Tenant } from "../models/tenant.ts";
import type { Trust } from "../models/trust.ts";
import type { Verdict } from "../models/verdict.ts";
import { Webhook } from "../models/webhook.ts";
import type { KeyRecord, TenantRecord } from "../services/access-records.ts";
import type { AliasRecord } from "../services/aliases.ts";
import type { DatasetRecord } from "../services/datasets.ts";
import type { Estimate } from "../services/estimates.ts";
import { globalId } from "../services/global-id.ts";
import type { DefendJobSpec, EvaluationRecord, ImplantOutcome } from "../services/job-specs.ts";
import type { PromptSetRecord, VersionRecord } from "../services/prompts.ts";
import type { ModelRecord } from "../services/registry.ts";
import { mediaType, type Sample } from "../services/samples.ts";
import type { OutcomeRecord, ScheduleRecord } from "../services/schedules/records.ts";
import type { RecordedSelfTest } from "../services/self-testing.ts";
import type { WebhookRecord } from "../services/webhooks/records.ts";
import { viewParameters } from "./parameter-views.ts";

/** An instance of a model's class, by which GraphQL knows an object of an interface or union. */
export const make = <T extends object>(type: new () => T, fields: Partial<T>): T =>
  Object.assign(new type(), fields);

export const viewOptionalRate = (count: Count | undefined): Rate | undefined => count && rate(count);

export const viewModel = (record: ModelRecord, loaded: boolean): Model =>
  make(Model, {
    id: globalId("model", record.name),
    name: record.name,
    arch: record.architecture,
    weights: record.weights,
    preprocessing: record.preprocessing,
    format: record.format,
    parameters: record.parameters,
    dtypes: [...record.dtypes],
    bytes: record.bytes,
    contextLength: record.contextLength,
    normalisation: {
      mean: [...record.normalisation.mean],
      deviation: [...record.normalisation.std],
      overridden: record.overrides.preprocessing?.normalisation !== undefined,
    },
    selfTest: viewSelfTest(record.selfTest),
    warnings: [...record.warnings],
    // Paths of this machine are nobody's business.
    source: record.source?.startsWith("hf:") ? record.source : undefined,
    trust: record.trust as Trust,
    loaded,
  });

function viewSelfTest({ checks, image, text, ...facts }: RecordedSelfTest): SelfTest {
  const view = ({ digest, first }: RecordedSelfTest["image"]) => ({ digest, first: [...first] });
  return { ...facts, checks: [...checks], image: view(image), text: view(text) };
}

export const viewDataset = ({ name, labels, counts, digest, createdAt }: DatasetRecord): Dataset =>
  make(Dataset, {
    id: globalId("dataset", name),
    name,
    labels: [...labels],
    size: counts.reduce((sum, count) => sum + count, 0),
    classes: labels.map((label, index) => ({ label, images: counts[index] })),
    digest,
    createdAt,
  });

export const viewAsset = ({ id, name, bytes }: Sample): Asset =>
  make(Asset, {
    id: globalId("asset", id),
    name,
    bytes: bytes.length,
    dataUrl: `data:${mediaType(name)};base64,${Buffer.from(bytes).toString("base64")}`,
  });

export const viewAttack = ({ name, paper, defaults, fit, caption }: EngineAttack): Attack => ({
  kind: name,
  paper,
  parameters: viewParameters(defaults),
  fitted: fit !== undefined,
  fitParameters: viewParameters(fit?.defaults ?? {}),
  hasWord: caption !== undefined,
});

export function viewPreview({ psnr, ...pictures }: Preview): AttackPreview {
  const url = (bytes: Uint8Array) => `data:image/png;base64,${Buffer.from(bytes).toString("base64")}`;
  const { clean, triggered, difference } = pictures;
  return { clean: url(clean), triggered: url(triggered), difference: url(difference), psnr };
}

export const viewPromptSet = ({ name }: PromptSetRecord): PromptSet =>
  make(PromptSet, { id: globalId("promptset", name), name });

export const viewVersion = (record: VersionRecord): PromptVersion =>
  make(PromptVersion, {
    record,
    id: globalId("version", record.id),
    number: record.number,
    digest: record.digest,
    labels: [...record.manifest.labels],
    importedBy: record.importedBy,
    createdAt: record.createdAt,
  });

export const viewAlias = (record: AliasRecord): Alias => make(Alias, { record, name: record.name });

export const viewSchedule = (record: ScheduleRecord): Schedule => {
  const { id, promptSet, alias, attacks, everySeconds, gate, by, createdAt, nextAt } = record;
  return make(Schedule, {
    record,
    id: globalId("schedule", id),
    promptSet,
    alias,
    attacks: [...attacks],
    everySeconds,
    ...gate,
    by,
    createdAt,
    nextAt,
  });
};

export const viewOutcome = (record: OutcomeRecord): ScheduleOutcome => {
  const { outcome, at, dueAt, reasons } = record;
  return make(ScheduleOutcome, { record, outcome, at, dueAt, reasons: [...reasons] });
};

export const viewTenant = (record: TenantRecord): Tenant =>
  make(Tenant, { id: globalId("tenant", record.name), ...record });

export const viewKey = (record: KeyRecord, lastUsedAt?: string): ApiKey =>
  make(ApiKey, { ...record, id: globalId("key", record.id), scopes: [...record.scopes], lastUsedAt });

export const viewWebhook = ({ secret: _, ...record }: WebhookRecord): Webhook =>
  make(Webhook, { ...record, id: globalId("webhook", record.id), events: [...record.events] });

const JOB_TYPES = {
  audit: AuditJob,
  purify: PurificationJob,
  extend: PurificationJob,
  evaluate: EvaluationJob,
  implant: ImplantJob,
  defend: DefenceJob,
} as const;

export function viewJob(record: JobRecord): Job {
  const { id, kind, status, progress, etaSeconds, createdAt, startedAt, finishedAt, failure, result } =
    record;
  const job = make<Job>(JOB_TYPES[kind], {
    record,
    id: globalId("job", id),
    status: status as Job["status"],
    progress,
    etaSeconds,
    device: (record.spec as { device?: Device }).device,
    createdAt,
    startedAt,
    finishedAt,
    failure,
  });
  if (job instanceof AuditJob && status === "SUCCEEDED") job.result = viewAudit(result as AuditResult);
  if (job instanceof DefenceJob) {
    const { defence, seed, parameters } = record.spec as DefendJobSpec;
    Object.assign(job, { defence, seed, parameters });
  }
  if (job instanceof ImplantJob && status === "SUCCEEDED") {
    const { steps, ca, asr, asrWithoutWord, otherAsr = [], fitted } = result as ImplantOutcome;
    Object.assign(job, {
      stepsMade: steps,
      ca: rate(ca),
      asr: rate(asr),
      asrWithoutWord: viewOptionalRate(asrWithoutWord),
      otherAsr: otherAsr.map(rate),
      fittedTrigger: fitted,
    });
  }
  return job;
}

export function viewAudit({ verdict, suspects, classes, seconds }: AuditResult): Audit {
  const view = ({ label, pulled, family, word }: AuditResult["classes"][number]): ClassAudit => ({
    label,
    pulled: rate(pulled),
    family,
    word,
  });
  const byPull = [...classes].sort((a, b) => rate(b.pulled).value - rate(a.pulled).value);
  return { verdict: verdict as Verdict, suspects: suspects.map(view), classes: byPull.map(view), seconds };
}

export function viewPlan({ phases, calibration, assumptions, ...totals }: Estimate): Plan {
  const { rates, epochSeconds, decodeSeconds, seconds, measuredAt } = calibration;
  const total = (of: (phase: Estimate["phases"][number]) => number) =>
    phases.reduce((sum, phase) => sum + of(phase), 0);
  return {
    ...totals,
    phases: [...phases],
    images: total(({ images }) => images),
    flops: total(({ flops }) => flops),
    assumptions: [...assumptions],
    calibration: {
      imageFlopsPerSecond: rates.image,
      gradientFlopsPerSecond: rates.gradient,
      textFlopsPerSecond: rates.text,
      epochSeconds,
      decodeSeconds,
      seconds,
      measuredAt,
    },
  };
}

export function viewEvent(jobId: string, seq: number, event: JobEventRecord): JobEvent {
  const place = { seq, at: event.at };
  switch (event.kind) {
    case "status":
      return make(StatusChanged, { ...place, status: event.status as StatusChanged["status"] });
    case "step": {
      const { kind: _, at: __, ...metrics } = event;
      return make(StepMetrics, { ...place, ...metrics, losses: [...event.losses] });
    }
    case "checkpoint": {
      const id = `checkpoint_${jobId}_${event.epoch}`;
      const checkpoint = {
        id,
        epoch: event.epoch,
        ca: viewOptionalRate(event.ca),
        asr: viewOptionalRate(event.asr),
      };
      return make(CheckpointSaved, { ...place, checkpoint });
    }
    case "log":
      return make(LogLine, { ...place, level: event.level, text: event.text });
  }
}

export function viewEvaluation(record: EvaluationRecord): Evaluation {
  return make(Evaluation, {
    id: globalId("evaluation", record.id),
    versionId: record.versionId,
    attack: record.attack?.kind,
    target: record.attack?.target,
    ca: rate(record.ca),
    asr: viewOptionalRate(record.asr),
    asrIncludingTarget: viewOptionalRate(record.asrIncludingTarget),
    robustAccuracy: viewOptionalRate(record.trueLabelUnderTrigger),
    targetRecall: viewOptionalRate(record.targetRecall),
    cleanFloor: viewOptionalRate(record.cleanFloor),
    seenByDefence: viewOptionalRate(record.seenByDefence),
    perClass: record.perClass.map(({ label, ca, pulled }) => ({
      label: record.labels[label],
      ca: rate(ca),
      pulledTo: viewOptionalRate(pulled),
    })),
    protocol: record.protocol,
  });
}
