import { DEVICES, type Device, type DeviceChoice, resolveDevice } from "../src/engine/runtime/device.ts";
import { AppError } from "../src/errors.ts";

/** The device that `--device` names. Fails with BAD_USER_INPUT for no device, GPU_UNAVAILABLE for one that is not here. */
export async function deviceOption(text: string): Promise<Device> {
  const known: readonly string[] = ["auto", ...DEVICES];
  if (!known.includes(text))
    throw new AppError("BAD_USER_INPUT", `--device takes ${known.join(", ")}, not "${text}".`);
  return resolveDevice(text as DeviceChoice);
}
