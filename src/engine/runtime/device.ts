import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { AppError } from "../../errors.ts";
import { entryPoint } from "./entry-point.ts";

export const DEVICES = ["cpu", "cuda", "webgpu"] as const;

export type Device = (typeof DEVICES)[number];

/** A device, or the fastest one that works. */
export type DeviceChoice = "auto" | Device;

/** Whether a device works on this machine, and how fast it computed beside the CPU. */
export type DeviceProbe =
  | { readonly works: true; readonly milliseconds: number; readonly cpuMilliseconds: number }
  | { readonly works: false; readonly reason: string };

/** Best first. */
const GPU_DEVICES = ["cuda", "webgpu"] as const;
const LONGEST_PROBE_MILLISECONDS = 60_000;

const REMEDIES: Readonly<Record<(typeof GPU_DEVICES)[number], string>> = {
  cuda: "It needs an NVIDIA driver, CUDA 12, cuDNN 9, and what `npm run setup:cuda` adds.",
  webgpu: "It needs a Vulkan driver (on Debian: libvulkan1 and the driver of the card).",
};

/**
 * The device to compute on. A named GPU must work: GPU_UNAVAILABLE says what it lacks. `auto` takes the first GPU
 * that works and beats the CPU, which a software driver does not; `log` is told why others are passed over.
 */
export async function resolveDevice(
  wanted: DeviceChoice,
  log: (message: string) => void = () => {},
): Promise<Device> {
  if (wanted === "cpu") return "cpu";
  if (wanted === "auto") return fastestDevice(log);
  const probe = await probeDevice(wanted);
  if (probe.works) return wanted;
  throw new AppError(
    "GPU_UNAVAILABLE",
    `The device "${wanted}" does not work here: ${probe.reason}. ${REMEDIES[wanted]} Or choose "auto" or "cpu".`,
    { device: wanted, reason: probe.reason },
  );
}

async function fastestDevice(log: (message: string) => void): Promise<Device> {
  for (const device of GPU_DEVICES) {
    const probe = await probeDevice(device);
    if (probe.works && probe.milliseconds < probe.cpuMilliseconds) return device;
    log(`Not using ${device}: ${probe.works ? "it is slower than the CPU" : probe.reason}.`);
  }
  return "cpu";
}

/** Tries a device in a process of its own: a broken driver may end the process that touches it. */
export function probeDevice(device: Device): Promise<DeviceProbe> {
  return new Promise((resolve) => {
    const child = fork(fileURLToPath(entryPoint(import.meta.url, "device-probe")), [device], {
      execArgv: [],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      timeout: LONGEST_PROBE_MILLISECONDS,
      killSignal: "SIGKILL",
    });
    child.on("message", (probe: DeviceProbe) => resolve(probe));
    child.on("error", ({ message }) => resolve({ works: false, reason: message }));
    child.on("exit", (code, signal) =>
      resolve({ works: false, reason: `its driver ended the process (${signal ?? `exit code ${code}`})` }),
    );
  });
}
