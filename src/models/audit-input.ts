import { Field, ID, InputType, Int } from "type-graphql";
import type { DeviceChoice } from "../engine/runtime/device.ts";
import { CbptInput } from "./cbpt-input.ts";
import { Device } from "./device.ts";

@InputType({ description: "Which model to audit with which shots." })
export class AuditInput extends CbptInput {
  @Field(() => ID)
  modelId!: string;

  @Field(() => ID)
  datasetId!: string;

  @Field(() => [String], { nullable: true, description: "By default all of the dataset's." })
  labels?: string[];

  @Field(() => [String], {
    nullable: true,
    description:
      "The labels to search triggers for, two or more; by default all. The search costs in proportion to them, and a backdoor to another label may be missed.",
  })
  targets?: string[];

  @Field(() => [String], { nullable: true, description: "The prompts to audit; by default the model's." })
  templates?: string[];

  @Field(() => Int, {
    nullable: true,
    defaultValue: 16,
    description: "Use this many examples of each label. 1 to 1000.",
  })
  shots?: number;

  @Field(() => Device, { nullable: true, description: "Where to compute; by default the server's device." })
  device?: DeviceChoice;
}
