import { Field, InputType, Int } from "type-graphql";
import type { DeviceChoice } from "../engine/runtime/device.ts";
import { Device } from "./device.ts";

/** What every job on clean shots is told. */
@InputType()
export abstract class ShotsInput {
  @Field(() => Int, {
    nullable: true,
    defaultValue: 16,
    description: "Use this many examples of each label. 1 to 1000.",
  })
  shots?: number;

  @Field(() => Device, {
    nullable: true,
    description:
      "Where to compute; by default the device of the server, or of the worker that takes the job.",
  })
  device?: DeviceChoice;
}
