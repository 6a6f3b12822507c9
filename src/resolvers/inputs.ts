/** What GraphQL inputs mean to the services. */
import type { FileUpload } from "graphql-upload-minimal";
import { CBPT_PARAMETERS } from "../engine/cbpt/config.ts";
import { AppError } from "../errors.ts";
import type { UploadReader } from "../http/uploads.ts";
import type { AddClassInput } from "../models/add-class-input.ts";
import type { AttackInput } from "../models/attack-input.ts";
import type { CbptParameters } from "../models/cbpt-parameters.ts";
import type { CoopInput } from "../models/coop-input.ts";
import type { ExamplesInput } from "../models/examples-input.ts";
import type { FileInput } from "../models/file-input.ts";
import type { Gate } from "../models/gate.ts";
import type { ImageInput } from "../models/image-input.ts";
import type { NormalisationInput } from "../models/normalisation-input.ts";
import type { NormalisationName } from "../models/normalisation-name.ts";
import type { RegisterModelInput } from "../models/register-model-input.ts";
import type { ScheduleEvaluationInput } from "../models/schedule-evaluation-input.ts";
import type { SearchInput } from "../models/search-input.ts";
import type { Through } from "../models/through.ts";
import type { CoopChoice } from "../services/bundles/coop-bundle.ts";
import type { Examples } from "../services/datasets.ts";
import type { GateTerms } from "../services/gates.ts";
import { localId } from "../services/global-id.ts";
import type { ImageSource } from "../services/image-source.ts";
import type { AddClassChoice, SearchChoice } from "../services/job-planner.ts";
import type { NormalisationChoice } from "../services/normalisation.ts";
import type { RegisterChoice } from "../services/registry.ts";
import type { ScheduleChoice } from "../services/schedules/schedules.ts";
import type { ThroughChoice } from "../services/through.ts";
import type { AttackChoice } from "../services/triggers.ts";
import { requireId } from "./identifiers.ts";

export function imageSource(input: ImageInput, uploads: UploadReader): ImageSource {
  if (input.assetId != null) return { kind: "asset", id: localId("asset", input.assetId) ?? input.assetId };
  if (input.base64 != null) {
    const text = input.base64;
    return { kind: "bytes", read: async () => uploads.base64(text) };
  }
  const upload = input.upload as unknown as Promise<FileUpload>;
  return { kind: "bytes", read: () => uploads.image(upload) };
}

export function fileBytes({ upload, base64 }: FileInput, uploads: UploadReader): Promise<Uint8Array> {
  if (base64 != null) return Promise.resolve(uploads.fileOfBase64(base64));
  return uploads.file(upload as unknown as Promise<FileUpload>);
}

export function coopChoice({ labels, position, templates }: CoopInput): CoopChoice {
  return { labels: labels ?? undefined, position: position ?? undefined, templates: templates ?? undefined };
}

export function throughChoice(input: Through, ...path: string[]): ThroughChoice {
  if (input.alias != null)
    return { kind: "alias", promptSet: input.alias.promptSet, alias: input.alias.alias };
  if (input.versionId != null)
    return { kind: "version", id: requireId("version", input.versionId, ...path, "versionId") };
  return { kind: "templates", templates: input.templates ?? [] };
}

/** Files are received one after the other, so all are read as soon as the list is looked at. */
export function examples(
  input: ExamplesInput,
  uploads: UploadReader,
  readImage: (source: ImageSource) => Promise<Uint8Array>,
): Examples {
  if (input.archive != null) {
    const archive = input.archive as unknown as Promise<FileUpload>;
    return { kind: "archive", read: () => uploads.file(archive) };
  }
  const list = (input.list ?? []).map(({ label, image }, index) => {
    const reading = readImage(imageSource(image, uploads));
    // Looked at later; until then a failure is not unhandled.
    reading.catch(() => {});
    return { source: `list[${index}]`, label, read: () => reading };
  });
  if (list.length === 0)
    throw new AppError("VALIDATION_FAILED", "There are no examples.", { path: ["examples"] });
  return { kind: "list", examples: list };
}

export function addClassChoice(input: AddClassInput): AddClassChoice {
  const { versionId, alias } = input.to;
  return {
    to: throughChoice({ versionId, alias }, "input", "to"),
    label: input.label,
    dataset: requireId("dataset", input.datasetId, "input", "datasetId"),
    promptSet: input.promptSet ?? undefined,
    targets: input.targets ?? undefined,
    shots: input.shots ?? 16,
    device: input.device ?? undefined,
    gate: input.gate && gateTerms(input.gate),
    parameters: parametersOf(input),
  };
}

export const attackChoice = (
  { kind, target, parameters, trigger, withWord }: AttackInput,
  ...path: string[]
): AttackChoice => ({
  kind,
  target,
  parameters: parameters ?? {},
  ...(trigger == null ? {} : { trigger: requireId("job", trigger, ...path, "trigger") }),
  ...(withWord == null ? {} : { withWord }),
});

export const gateTerms = ({ maxAsr95, minCaDelta, promoteAlias }: Gate): GateTerms => ({
  maxAsr95: maxAsr95 ?? undefined,
  minCaDelta: minCaDelta ?? undefined,
  promoteAlias: promoteAlias ?? "live",
});

/** The hyper-parameters that are given. */
function parametersOf(input: Partial<CbptParameters>): Record<string, unknown> {
  const names = Object.keys(CBPT_PARAMETERS) as (keyof typeof CBPT_PARAMETERS)[];
  const given = names.map((name) => [name, input[name] ?? undefined]);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** What an audit and a purification have in common. */
export function searchChoice(input: SearchInput): SearchChoice {
  return {
    model: requireId("model", input.modelId, "input", "modelId"),
    dataset: requireId("dataset", input.datasetId, "input", "datasetId"),
    labels: input.labels ?? undefined,
    templates: input.templates ?? undefined,
    targets: input.targets ?? undefined,
    shots: input.shots ?? 16,
    device: input.device ?? undefined,
    parameters: parametersOf(input),
  };
}

export function scheduleChoice({
  ref,
  datasetId,
  attacks,
  everySeconds,
  startAt,
  gate,
}: ScheduleEvaluationInput): ScheduleChoice {
  return {
    ...ref,
    dataset: requireId("dataset", datasetId, "input", "datasetId"),
    attacks: (attacks ?? []).map((attack) => attackChoice(attack, "input", "attacks")),
    everySeconds,
    startAt: startAt == null ? undefined : new Date(startAt),
    gate: { maxAsr95: gate.maxAsr95 ?? undefined, minCaDelta: gate.minCaDelta ?? undefined },
  };
}

export function registerChoice({ trust, normalisation }: RegisterModelInput): RegisterChoice {
  return { trust: trust ?? undefined, normalisation: normalisation && normalisationChoice(normalisation) };
}

function normalisationChoice({ name, values }: NormalisationInput): NormalisationChoice {
  if (values != null) return { mean: values.mean, std: values.deviation };
  return name!.toLowerCase() as Lowercase<NormalisationName>;
}
