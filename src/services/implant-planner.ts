import { notFitted } from "../engine/attacks/attack.ts";
import { attackNamed } from "../engine/attacks/index.ts";
import { completeParameters } from "../engine/parameters.ts";
import type { DeviceChoice } from "../engine/runtime/device.ts";
import { requireTrainable } from "../engine/training/checkpoint-files.ts";
import { IMPLANT_PARAMETERS } from "../engine/training/implant.ts";
import { AppError } from "../errors.ts";
import type { ImplantSpec, LabelledImage } from "../jobs/handlers/spec.ts";
import type { DatasetRecord, Datasets } from "./datasets.ts";
import type { Devices } from "./devices.ts";
import { type ModelRegistry, referenceOf } from "./registry.ts";
import type { ThroughResolver } from "./through.ts";
import type { AttackChoice, AttackSpec, Triggers } from "./triggers.ts";

/** What to poison, as a caller gives it; local names, not global ids. */
export interface ImplantChoice {
  readonly model: string;
  /** Of the poisoned model. */
  readonly name: string;
  readonly attack: AttackChoice;
  /** Further triggers that take turns with the first. */
  readonly others?: readonly AttackChoice[];
  /** How the trigger is fitted first, where it has to be and the attack names none. */
  readonly fit: Record<string, unknown>;
  readonly dataset: string;
  readonly testDataset?: string;
  readonly labels?: readonly string[];
  readonly templates?: readonly string[];
  readonly device?: DeviceChoice;
  /** Any of `IMPLANT_PARAMETERS`. */
  readonly parameters: Record<string, unknown>;
}

/** Without a test set, every fifth image of a label is kept for measuring. */
const HELD_OUT = 5;

/** Makes of what an operator asks for what the process of an implant is given; everything is checked here. */
export class ImplantPlanner {
  constructor(
    private readonly options: {
      /** Whether this server may make poisoned models at all. */
      readonly allowed: boolean;
      readonly models: ModelRegistry;
      readonly devices: Devices;
      readonly datasets: Datasets;
      readonly through: ThroughResolver;
      readonly triggers: Triggers;
    },
  ) {}

  /** Fails with FORBIDDEN where attacks are off. */
  async plan(choice: ImplantChoice): Promise<ImplantSpec> {
    const { allowed, models, datasets, devices, through, triggers } = this.options;
    if (!allowed)
      throw new AppError(
        "FORBIDDEN",
        "Attacks are off. Start the server with ALLOW_ATTACKS=1 to allow them.",
      );
    const model = await models.get(choice.model);
    requireTrainable(model);
    await models.assertFree(choice.name);
    const { kind } = choice.attack;
    const fit = completeParameters(
      `the fit of attack "${kind}"`,
      attackNamed(kind).fit?.defaults ?? {},
      choice.fit,
    );
    const dataset = await datasets.get(choice.dataset);
    const labels = choice.labels ?? dataset.labels;
    const attack = await triggers.attack(choice.attack, labels);
    return {
      modelFolder: referenceOf(model),
      name: choice.name,
      labels: [...labels],
      templates: [...through.templates(choice.templates)],
      ...(await this.images(dataset, choice.testDataset, labels)),
      attack,
      others: await Promise.all((choice.others ?? []).map((other) => this.other(other, labels))),
      fit,
      config: completeParameters("the implant", IMPLANT_PARAMETERS, choice.parameters),
      device: await devices.choose(choice.device, referenceOf(model)),
    };
  }

  /** Only the first trigger of an implant is fitted by it. */
  private async other(choice: AttackChoice, labels: readonly string[]): Promise<AttackSpec> {
    const spec = await this.options.triggers.attack(choice, labels);
    if (attackNamed(choice.kind).fit && spec.fitted === undefined) throw notFitted(choice.kind);
    return spec;
  }

  private async images(
    dataset: DatasetRecord,
    test: string | undefined,
    labels: readonly string[],
  ): Promise<{ images: LabelledImage[]; test: LabelledImage[] }> {
    const all = await this.byLabel(dataset, labels);
    const heldOut = (_: LabelledImage, index: number) => index % HELD_OUT === HELD_OUT - 1;
    const others = (image: LabelledImage, index: number) => !heldOut(image, index);
    const [images, kept] =
      test === undefined
        ? [all.flatMap((list) => list.filter(others)), all.flatMap((list) => list.filter(heldOut))]
        : [all.flat(), (await this.byLabel(await this.options.datasets.get(test), labels)).flat()];
    if (images.length > 0 && kept.length > 0) return { images, test: kept };
    const message = `There are ${images.length} images to train on and ${kept.length} to measure on. Add some.`;
    throw new AppError("VALIDATION_FAILED", message, { dataset: dataset.name });
  }

  /** The images of each label, in the order of the data set. */
  private async byLabel(dataset: DatasetRecord, labels: readonly string[]): Promise<LabelledImage[][]> {
    const examples = await this.options.datasets.examples(dataset);
    return labels.map((name, label) => {
      const place = dataset.labels.indexOf(name);
      const own = examples.filter((example) => example.label === place);
      return own.map(({ image }) => ({ blob: image, label }));
    });
  }
}
