import type { Cost } from "../onnx/cost.ts";

/** How fast a device computes, as far as two numbers can tell. */
export interface DeviceSpeed {
  /** Of large matrix products. */
  readonly flopsPerMillisecond: number;
  /** From one operator to the next, however small: on a GPU the time to hand it over, which small models wait for. */
  readonly operatorMilliseconds: number;
}

/** What of a run's cost decides which device is faster. */
export type Work = Pick<Cost, "flops" | "operators">;

/** What a run takes, roughly: enough to tell devices apart, which differ by factors. */
export const millisecondsOf = ({ flops, operators }: Work, speed: DeviceSpeed): number =>
  flops / speed.flopsPerMillisecond + operators * speed.operatorMilliseconds;
