import { Field, ID, InputType, Int } from "type-graphql";
import type { DeviceChoice } from "../engine/runtime/device.ts";
import { CbptInput } from "./cbpt-input.ts";
import { Device } from "./device.ts";
import { Gate } from "./gate.ts";
import { PurifyMode } from "./purify-mode.ts";

@InputType({
  description: "What to purify, with which shots, and how. Everything of `how` has a good default.",
})
export class PurifyInput extends CbptInput {
  @Field(() => ID)
  modelId!: string;

  @Field(() => String, {
    description: "The prompt set that gets the version; made when there is none of that name.",
  })
  promptSet!: string;

  @Field(() => ID, { description: "A dataset with some clean shots of every label." })
  datasetId!: string;

  @Field(() => [String], { nullable: true, description: "By default all of the dataset's." })
  labels?: string[];

  @Field(() => [String], {
    nullable: true,
    description:
      "The labels to search triggers for, two or more; by default all. The search costs in proportion to them, and a backdoor to another label may be missed.",
  })
  targets?: string[];

  @Field(() => [String], {
    nullable: true,
    description: "The undefended prompts to start from and to compare with; by default the model's.",
  })
  templates?: string[];

  @Field(() => Int, {
    nullable: true,
    defaultValue: 16,
    description: "Use this many examples of each label. 1 to 1000.",
  })
  shots?: number;

  @Field(() => Device, { nullable: true, description: "Where to compute; by default the server's device." })
  device?: DeviceChoice;

  @Field(() => PurifyMode, { nullable: true, defaultValue: PurifyMode.UNIVERSAL })
  mode?: PurifyMode;

  @Field(() => Gate, {
    nullable: true,
    description: "Without one, a successful version is promoted to `live`.",
  })
  gate?: Gate;
}
