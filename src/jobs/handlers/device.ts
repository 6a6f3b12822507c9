import { type Device, resolveDevice } from "../../engine/runtime/device.ts";
import type { JobContext } from "../job.ts";

/**
 * Where a job computes: on the device of its spec, else on the server's. Fails with GPU_UNAVAILABLE when a GPU that
 * worked when the job was made does so no more.
 */
export const deviceOf = (
  { device }: { readonly device?: Device },
  context: Pick<JobContext, "device">,
): Promise<Device> => resolveDevice(device ?? context.device);
