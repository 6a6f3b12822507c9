import { Field, Float, Int, ObjectType } from "type-graphql";
import type { Device as DeviceName } from "../engine/runtime/device.ts";
import { BigIntScalar } from "./big-int.ts";
import { Calibration } from "./calibration.ts";
import { Device } from "./device.ts";
import { PlannedPhase } from "./planned-phase.ts";

@ObjectType({ description: "What a job would do and take, from a dry run." })
export class Plan {
  @Field(() => Device)
  device!: DeviceName;

  @Field(() => Int)
  threads!: number;

  @Field(() => [PlannedPhase], { description: "In their order." })
  phases!: PlannedPhase[];

  @Field(() => BigIntScalar, { description: "How often an image passes the image encoder." })
  images!: number;

  @Field(() => Float, { description: "Floating-point operations; a multiply-add counts as two." })
  flops!: number;

  @Field(() => Float, { description: "Expected on this server's device, with nothing else running." })
  seconds!: number;

  @Field(() => BigIntScalar, {
    description: "Most memory of the job's process: what the calibration had, the shots and the state.",
  })
  peakMemoryBytes!: number;

  @Field(() => BigIntScalar, {
    description: "The largest saved state, on disk while the job is not finished.",
  })
  savedStateBytes!: number;

  @Field(() => BigIntScalar, { description: "The learned tensors." })
  artifactBytes!: number;

  @Field(() => [String], { description: "What shows only in the run and was taken for granted." })
  assumptions!: string[];

  @Field(() => Calibration)
  calibration!: Calibration;
}
