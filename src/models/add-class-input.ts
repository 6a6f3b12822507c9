import { Field, ID, InputType, Int } from "type-graphql";
import type { DeviceChoice } from "../engine/runtime/device.ts";
import { CbptInput } from "./cbpt-input.ts";
import { Device } from "./device.ts";
import { Gate } from "./gate.ts";
import { VersionRef } from "./version-ref.ts";

@InputType({
  description:
    "Which class to add to which prompts, with which shots. Hyper-parameters are those of the version unless given; the number of context vectors and their position stay as they are.",
})
export class AddClassInput extends CbptInput {
  @Field(() => VersionRef, { description: "The version to start from. It stays as it is." })
  to!: VersionRef;

  @Field(() => String, { description: "The new class." })
  label!: string;

  @Field(() => ID, {
    description:
      "A dataset with clean shots of the new class and of all others, which the gate is checked on again.",
  })
  datasetId!: string;

  @Field(() => String, {
    nullable: true,
    description: "The prompt set that gets the new version; by default the one that has the version.",
  })
  promptSet?: string;

  @Field(() => [String], {
    nullable: true,
    description: "The labels to search triggers for, two or more; by default all, the new one among them.",
  })
  targets?: string[];

  @Field(() => Int, {
    nullable: true,
    defaultValue: 16,
    description: "Use this many examples of each label. 1 to 1000.",
  })
  shots?: number;

  @Field(() => Device, { nullable: true, description: "Where to compute; by default the server's device." })
  device?: DeviceChoice;

  @Field(() => Gate, {
    nullable: true,
    description:
      "By default that of the version, if it was made here; without one, the new version is promoted to `live`.",
  })
  gate?: Gate;
}
