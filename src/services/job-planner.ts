import { completeConfig, type Mode } from "../engine/cbpt/config.ts";
import type { DeviceChoice } from "../engine/runtime/device.ts";
import { AppError } from "../errors.ts";
import type { LabelledImage, PurifySpec } from "../jobs/handlers/spec.ts";
import { digestOf } from "./canonical.ts";
import type { DatasetRecord, Datasets } from "./datasets.ts";
import type { Devices } from "./devices.ts";
import { checkTerms, type GateTerms } from "./gates.ts";
import { fromField, fromParameters } from "./input-field.ts";
import type { AuditJobSpec, EvaluateJobSpec, ExtendJobSpec, PurifyJobSpec } from "./job-specs.ts";
import { checkLabel } from "./labels.ts";
import { checkName } from "./names.ts";
import { assertPromptCount } from "./prompt-count.ts";
import type { VersionRecord } from "./prompts.ts";
import { type ModelRecord, type ModelRegistry, referenceOf } from "./registry.ts";
import type { ThroughChoice, ThroughResolver } from "./through.ts";
import type { AttackChoice, Triggers } from "./triggers.ts";

/** A model and clean shots, as a caller gives them; local names, not global ids. */
export interface ShotsChoice {
  readonly model: string;
  readonly dataset: string;
  readonly labels?: readonly string[];
  readonly templates?: readonly string[];
  /** Of each label. */
  readonly shots: number;
  /** By default the server's. */
  readonly device?: DeviceChoice;
}

/** What to look for triggers in. */
export interface SearchChoice extends ShotsChoice {
  /** The labels to search triggers for; by default all. */
  readonly targets?: readonly string[];
  /** Any of CBPT's hyper-parameters. */
  readonly parameters: Record<string, unknown>;
}

export interface PurifyChoice extends SearchChoice {
  readonly promptSet: string;
  readonly mode: Mode;
  readonly gate: GateTerms;
}

export interface AddClassChoice {
  readonly to: ThroughChoice;
  readonly label: string;
  readonly dataset: string;
  /** By default the one that has the version. */
  readonly promptSet?: string;
  readonly targets?: readonly string[];
  readonly shots: number;
  readonly device?: DeviceChoice;
  /** Hyper-parameters that are to differ from the version's. */
  readonly parameters: Record<string, unknown>;
  /** By default that of the version, if it was made here. */
  readonly gate?: GateTerms;
}

export interface EvaluateChoice {
  readonly model: string;
  readonly dataset: string;
  readonly labels?: readonly string[];
  readonly through: ThroughChoice;
  readonly attack?: AttackChoice;
  /** By default the server's. */
  readonly device?: DeviceChoice;
}

const MOST_SHOTS = 1000;

/** Makes of what a tenant's caller asks for what a job's process is given. Everything that can be checked is checked here. */
export class JobPlanner {
  constructor(
    private readonly options: {
      readonly models: ModelRegistry;
      readonly devices: Devices;
      readonly datasets: Datasets;
      readonly through: ThroughResolver;
      readonly triggers: Triggers;
    },
  ) {}

  async audit(choice: SearchChoice): Promise<AuditJobSpec> {
    const { model, dataset, ...spec } = await this.search(choice, "UNIVERSAL");
    return { ...spec, request: { model: facts(model), shots: choice.shots, dataset: dataset.digest } };
  }

  async purify(choice: PurifyChoice, by: string): Promise<PurifyJobSpec> {
    await fromField("promptSet", () => checkName("The prompt set", choice.promptSet));
    await fromField("gate", () => checkGate(choice.gate));
    const { model, dataset, ...spec } = await this.search(choice, choice.mode);
    const { promptSet, gate, shots } = choice;
    return { ...spec, request: { model: facts(model), shots, dataset: dataset.digest, promptSet, gate, by } };
  }

  /** Everything of the version stays; a class is added to it, and the gate is to be passed again. */
  async addClass(choice: AddClassChoice, by: string): Promise<ExtendJobSpec> {
    const version = await fromField("to", () => this.version(choice.to));
    const { labels, templates } = version.manifest;
    const label = await fromField("label", () => newLabel(choice.label, labels));
    const promptSet = choice.promptSet ?? version.promptSet;
    await fromField("promptSet", () => checkName("The prompt set", promptSet));
    const gate = choice.gate ?? gateOf(version);
    await fromField("gate", () => checkGate(gate));
    const { mode, parameters } = extensionParameters(version, choice.parameters);
    const { name } = await this.options.models.ofVersion(version);
    const { model, dataset, ...spec } = await this.search(
      { ...choice, model: name, labels: [...labels, label], templates, parameters },
      mode,
    );
    const addedTo = { id: version.id, digest: version.digest };
    const request = { model: facts(model), shots: choice.shots, dataset: dataset.digest };
    return {
      ...spec,
      base: version.artifact.digest,
      request: { ...request, promptSet, gate, by, addedTo },
    };
  }

  /** The version to which a class is to be added. */
  private async version(to: ThroughChoice): Promise<VersionRecord> {
    const through = await this.options.through.resolve(to);
    if (through.kind === "version") return through.version;
    throw new AppError("VALIDATION_FAILED", "A class is added to a prompt version, not to templates.");
  }

  private async search(
    choice: SearchChoice,
    mode: Mode,
  ): Promise<PurifySpec & { model: ModelRecord; dataset: DatasetRecord }> {
    const config = await fromParameters(() => completeConfig(mode, choice.parameters));
    const task = await this.task(choice);
    const { targets: wanted } = choice;
    const targets = wanted && (await fromField("targets", () => targetIndices(task.labels, wanted, mode)));
    return { ...task, config, targets, mode };
  }

  /** What every job has that learns from shots. Fails with NOT_FOUND and VALIDATION_FAILED. */
  async task(choice: ShotsChoice) {
    const { model, dataset } = await this.subjects(choice);
    await fromField("shots", () => checkShots(choice.shots));
    const labels = await fromField("labels", () => chooseLabels(dataset, choice.labels));
    const templates = await fromField("templates", () => this.templates(choice.templates, labels));
    return {
      model,
      dataset,
      modelFolder: referenceOf(model),
      labels: [...labels],
      templates,
      shots: await fromField("datasetId", () => this.images(dataset, labels, choice.shots)),
      device: await this.device(choice, model),
    };
  }

  async evaluate(choice: EvaluateChoice): Promise<EvaluateJobSpec> {
    const { model, dataset } = await this.subjects(choice);
    const through = await fromField("through", () => this.fitting(choice.through, model));
    const known = through.kind === "version" ? through.version.manifest.labels : undefined;
    const labels = known ?? choice.labels ?? dataset.labels;
    if (known && choice.labels && digestOf(known) !== digestOf(choice.labels))
      throw new AppError(
        "VALIDATION_FAILED",
        "A prompt version is evaluated on all of its own labels; leave `labels` out.",
        { path: ["input", "labels"] },
      );
    const unknownToo = known === undefined;
    const images = await fromField("datasetId", () =>
      this.images(dataset, labels, Number.POSITIVE_INFINITY, { unknownToo }),
    );
    const { attack } = choice;
    return {
      modelFolder: referenceOf(model),
      labels: [...labels],
      through:
        through.kind === "version"
          ? {
              kind: "matrix",
              matrix: through.version.artifact.digest,
              templates: [...through.version.manifest.templates],
            }
          : { kind: "templates", templates: [...through.templates] },
      images,
      attack: attack && (await fromField("attack", () => this.options.triggers.attack(attack, labels))),
      device: await this.device(choice, model),
      request: {
        versionId: through.kind === "version" ? through.version.id : undefined,
        dataset: dataset.digest,
      },
    };
  }

  /** What comes of the job is served beside the undefended classifier of these. */
  private templates(given: readonly string[] | undefined, labels: readonly string[]): string[] {
    const templates = [...this.options.through.templates(given)];
    assertPromptCount(labels.length, templates.length);
    return templates;
  }

  private async subjects(choice: Pick<ShotsChoice, "model" | "dataset">) {
    const { models, datasets } = this.options;
    return {
      model: await fromField("modelId", () => models.get(choice.model)),
      dataset: await fromField("datasetId", () => datasets.get(choice.dataset)),
    };
  }

  private device({ device }: Pick<ShotsChoice, "device">, model: ModelRecord) {
    return fromField("device", () => this.options.devices.choose(device, referenceOf(model)));
  }

  /** What a model is to be evaluated through. Fails with INCOMPATIBLE_MODEL for a version of another. */
  private async fitting(choice: ThroughChoice, model: ModelRecord) {
    const through = await this.options.through.resolve(choice);
    if (through.kind === "version") await this.options.models.assertFits(through.version, model);
    return through;
  }

  /** The first `perLabel` examples of each of the labels, with the index that the label has among them. */
  private async images(
    dataset: DatasetRecord,
    labels: readonly string[],
    perLabel: number,
    options: { unknownToo?: boolean } = {},
  ): Promise<LabelledImage[]> {
    const blobs: string[][] = dataset.labels.map(() => []);
    for (const { label, image } of await this.options.datasets.examples(dataset))
      if (blobs[label].length < perLabel) blobs[label].push(image);
    const byLabel = new Map(dataset.labels.map((label, place) => [label, blobs[place]]));
    const images = labels.flatMap((label, index) =>
      (byLabel.get(label) ?? []).map((blob) => ({ blob, label: index })),
    );
    if (images.length > 0) return images;
    const what = options.unknownToo ? "labels" : "prompt version's labels";
    throw new AppError("VALIDATION_FAILED", `Dataset "${dataset.name}" has no image of any of the ${what}.`);
  }
}

/** A version's own gate; what an imported one claims decides nothing here. */
const gateOf = ({ gate, importedBy }: VersionRecord): GateTerms =>
  gate && importedBy === undefined ? gate.terms : { promoteAlias: "live" };

/** The version's hyper-parameters, with some that differ. What the other classes are made with cannot. */
function extensionParameters(
  { manifest: { source, contextTokens, position } }: VersionRecord,
  given: Record<string, unknown>,
): { mode: Mode; parameters: Record<string, unknown> } {
  const { mode, ...known } =
    source.kind === "coop" || source.kind === "defence" ? { mode: "UNIVERSAL" as const } : source.config;
  const fixed = { contextTokens, position };
  const parameters = { ...known, ...fixed, ...given };
  for (const [name, value] of Object.entries(fixed))
    if (parameters[name as keyof typeof fixed] !== value)
      throw new AppError(
        "VALIDATION_FAILED",
        `The version's other classes have ${name} ${value}, so the new one has too; leave it out.`,
        { path: ["input", name] },
      );
  // Those of the other classes stay, and one class alone has nothing to be told from.
  if ((given.recovery ?? 0) !== 0)
    throw new AppError(
      "VALIDATION_FAILED",
      "Recovery prompts are kept as they are, and none are learned for a class that is added; leave recovery out.",
      { path: ["input", "recovery"] },
    );
  return { mode, parameters };
}

export const facts = ({ name, weights, preprocessing }: ModelRecord) => ({ name, weights, preprocessing });

function checkShots(shots: number): void {
  if (Number.isInteger(shots) && shots >= 1 && shots <= MOST_SHOTS) return;
  throw new AppError("VALIDATION_FAILED", `shots must be a whole number from 1 to ${MOST_SHOTS}.`);
}

function newLabel(label: string, labels: readonly string[]): string {
  const checked = checkLabel(label);
  if (!labels.includes(checked)) return checked;
  throw new AppError("VALIDATION_FAILED", `The version has a class "${checked}" already.`, {
    label: checked,
  });
}

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

/** A class is suspected by comparison with the others that are searched, so one alone says nothing. */
function targetIndices(labels: readonly string[], targets: readonly string[], mode: Mode): number[] {
  const unknown = targets.filter((target) => !labels.includes(target));
  if (unknown.length > 0)
    throw new AppError(
      "VALIDATION_FAILED",
      `Not among the labels, so no targets: ${unknown.slice(0, 10).join(", ")}.`,
      { unknown: unknown.slice(0, 10) },
    );
  if (new Set(targets).size !== targets.length)
    throw new AppError("VALIDATION_FAILED", "A target is given twice.");
  if (targets.length < 2)
    throw new AppError(
      "VALIDATION_FAILED",
      "At least two targets are needed: a class is suspected by comparison with the others that are searched.",
    );
  if (mode === "PUBLISHED")
    throw new AppError("VALIDATION_FAILED", "The published mode does not search, so it takes no targets.");
  return targets.map((target) => labels.indexOf(target));
}

function checkGate({ promoteAlias, ...terms }: GateTerms): void {
  checkName("The alias", promoteAlias);
  checkTerms(terms);
}
