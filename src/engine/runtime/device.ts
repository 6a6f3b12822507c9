import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { AppError } from "../../errors.ts";
import { type DeviceSpeed, millisecondsOf, type Work } from "./device-speed.ts";
import { entryPoint } from "./entry-point.ts";

export const DEVICES = ["cpu", "cuda", "webgpu"] as const;

export type Device = (typeof DEVICES)[number];

/** A device, or the fastest one that works. */
export type DeviceChoice = "auto" | Device;

/** Whether a device works on this machine, and how fast it and the CPU computed. */
export type DeviceProbe =
  | { readonly works: true; readonly speed: DeviceSpeed; readonly cpuSpeed: DeviceSpeed }
  | { readonly works: false; readonly reason: string };

/** Best first. */
const GPU_DEVICES = ["cuda", "webgpu"] as const;
const LONGEST_PROBE_MILLISECONDS = 60_000;
/** Of a server whose models are not known: one photograph through a ViT-B/32. */
const USUAL_WORK: Work = { flops: 8.8e9, operators: 242 };

const REMEDIES: Readonly<Record<(typeof GPU_DEVICES)[number], string>> = {
  cuda: "It needs an NVIDIA driver, CUDA 12, cuDNN 9, and what `npm run setup:cuda` adds.",
  webgpu: "It needs a Vulkan driver (on Debian: libvulkan1 and the driver of the card).",
};

/** What is given to choose by; each has a default. */
export interface Circumstances {
  /** Is told why `auto` passes over a GPU. */
  readonly log?: (message: string) => void;
  /** What is to be computed; only asked where a GPU works. */
  readonly work?: () => Promise<Work>;
  readonly probe?: (device: Device) => Promise<DeviceProbe>;
}

/**
 * The device to compute on. A named GPU must work: GPU_UNAVAILABLE says what it lacks. `auto` takes the first GPU
 * that works and beats the CPU at the work, which a software driver never does, and a fast one not with small models.
 */
export async function resolveDevice(
  wanted: DeviceChoice,
  { log = () => {}, work = async () => USUAL_WORK, probe: tried = probeDevice }: Circumstances = {},
): Promise<Device> {
  if (wanted === "cpu") return "cpu";
  if (wanted === "auto") return fastestDevice(log, work, tried);
  const probe = await tried(wanted);
  if (probe.works) return wanted;
  throw new AppError(
    "GPU_UNAVAILABLE",
    `The device "${wanted}" does not work here: ${probe.reason}. ${REMEDIES[wanted]} Or choose "auto" or "cpu".`,
    { device: wanted, reason: probe.reason },
  );
}

/** Every device that works on this machine. */
export async function workingDevices(tried = probeDevice): Promise<Device[]> {
  const probes = await Promise.all(GPU_DEVICES.map(tried));
  return ["cpu", ...GPU_DEVICES.filter((_, index) => probes[index].works)];
}

async function fastestDevice(
  log: (message: string) => void,
  work: () => Promise<Work>,
  tried: (device: Device) => Promise<DeviceProbe>,
): Promise<Device> {
  for (const device of GPU_DEVICES) {
    const probe = await tried(device);
    const obstacle = probe.works ? slowness(probe, await work()) : probe.reason;
    if (obstacle === undefined) return device;
    log(`Not using ${device}: ${obstacle}.`);
  }
  return "cpu";
}

function slowness({ speed, cpuSpeed }: DeviceProbe & { works: true }, work: Work): string | undefined {
  const [own, cpu] = [speed, cpuSpeed].map((one) => millisecondsOf(work, one));
  if (own < cpu) return undefined;
  return `it is slower than the CPU for this model (about ${own.toFixed(1)} and ${cpu.toFixed(1)} ms a run)`;
}

/** Tries each device when it is first asked for, and remembers. */
export function triedOnce(tried = probeDevice): typeof probeDevice {
  const probes = new Map<Device, Promise<DeviceProbe>>();
  return (device) => {
    const probe = probes.get(device) ?? tried(device);
    probes.set(device, probe);
    return probe;
  };
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
