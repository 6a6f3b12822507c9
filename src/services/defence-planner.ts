import { completeDefence, defenceNamed } from "../engine/defences/index.ts";
import { requireTrainable } from "../engine/training/checkpoint-files.ts";
import { AppError } from "../errors.ts";
import { fromField } from "./input-field.ts";
import { facts, type JobPlanner, type ShotsChoice } from "./job-planner.ts";
import type { DefendJobSpec } from "./job-specs.ts";
import { checkName } from "./names.ts";
import type { ModelRecord, ModelRegistry } from "./registry.ts";

/** What to defend, and with which defence. */
export interface DefendChoice extends ShotsChoice {
  readonly defence: string;
  /** Any of the defence's. */
  readonly parameters: Record<string, unknown>;
  readonly seed: number;
  /** For a defence that makes prompts. */
  readonly promptSet?: string;
  /** Of the model, for a defence that makes weights. */
  readonly name?: string;
}

const LARGEST_SEED = 2 ** 31 - 1;

/** Makes of a choice what the process of a defence is given: everything is checked here. */
export class DefencePlanner {
  constructor(private readonly options: { readonly planner: JobPlanner; readonly models: ModelRegistry }) {}

  /** Fails with NOT_FOUND, or with VALIDATION_FAILED where the choice does not go with the defence. */
  async plan(choice: DefendChoice): Promise<DefendJobSpec> {
    const { defence, seed, name, promptSet, shots } = choice;
    const parameters = await fromField("parameters", () => completeDefence(defence, choice.parameters));
    await fromField("seed", () => checkSeed(seed));
    const { model, dataset, ...task } = await this.options.planner.task(choice);
    await this.checkPlace(choice, model);
    const request = { model: facts(model), shots, dataset: dataset.digest, promptSet };
    return { ...task, defence, parameters, seed, name, request };
  }

  /** Prompts need a prompt set, weights a model that can be written and a name that is free. */
  private async checkPlace({ defence, promptSet, name }: DefendChoice, model: ModelRecord): Promise<void> {
    const { makes } = defenceNamed(defence);
    const [needed, other] = makes === "prompts" ? [promptSet, name] : [name, promptSet];
    const [field, wrong] = makes === "prompts" ? ["promptSet", "name"] : ["name", "promptSet"];
    if (needed === undefined || other !== undefined)
      throw new AppError(
        "VALIDATION_FAILED",
        `The defence "${defence}" makes ${makes}: give \`${field}\` and not \`${wrong}\`.`,
        { defence, path: ["input", field] },
      );
    if (makes === "prompts") return void (await fromField(field, () => checkName("The prompt set", needed)));
    await fromField("modelId", () => requireTrainable(model));
    await fromField(field, () => this.options.models.assertFree(needed));
  }
}

function checkSeed(seed: number): void {
  if (Number.isInteger(seed) && seed >= 0 && seed <= LARGEST_SEED) return;
  throw new AppError("VALIDATION_FAILED", `seed must be a whole number from 0 to ${LARGEST_SEED}.`);
}
