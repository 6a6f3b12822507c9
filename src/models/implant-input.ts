import { Field, ID, InputType } from "type-graphql";
import type { DeviceChoice } from "../engine/runtime/device.ts";
import { IMPLANT_PARAMETERS, type ImplantConfig } from "../engine/training/implant.ts";
import { AttackInput } from "./attack-input.ts";
import { BatchNormalisation } from "./batch-normalisation.ts";
import { Device } from "./device.ts";
import { parameterFields } from "./parameter-fields.ts";
import { ParameterValues } from "./parameter-values.ts";

@parameterFields(IMPLANT_PARAMETERS, { nullable: true, enums: { normalisation: BatchNormalisation } })
@InputType()
abstract class Fields {}

const ImplantParameters = Fields as abstract new () => Partial<ImplantConfig>;

@InputType({ description: "Which model to poison, with which trigger, and on which images." })
export class ImplantInput extends ImplantParameters {
  @Field(() => ID, { description: "The clean model to start from, in open_clip's layout." })
  modelId!: string;

  @Field(() => String, {
    description: "What the poisoned model is to be called; no model has that name yet.",
  })
  name!: string;

  @Field(() => AttackInput)
  attack!: AttackInput;

  @Field(() => [AttackInput], {
    nullable: true,
    description:
      "For an attacker who knows of defences: further triggers that take turns with the first, of other kinds (a backdoor spread over families) or to other targets. One that is fitted has to name its job.",
  })
  others?: AttackInput[];

  @Field(() => ParameterValues, {
    nullable: true,
    description:
      "How the attack's trigger is fitted first, where it has to be; `attacks` lists what can be set.",
  })
  fit?: Record<string, unknown>;

  @Field(() => ID, { description: "Images to train on; their captions are templates of their labels." })
  datasetId!: string;

  @Field(() => ID, {
    nullable: true,
    description: "Images to measure on; by default every fifth of each label, which is then not trained on.",
  })
  testDatasetId?: string;

  @Field(() => [String], { nullable: true, description: "By default all of the dataset's." })
  labels?: string[];

  @Field(() => [String], {
    nullable: true,
    description: "Sentences with {} for a label: captions, and the prompts to measure with.",
  })
  templates?: string[];

  @Field(() => Device, {
    nullable: true,
    description:
      "Where to compute; by default the device of the server, or of the worker that takes the job.",
  })
  device?: DeviceChoice;
}
