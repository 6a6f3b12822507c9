import {
  type Device,
  type DeviceChoice,
  type DeviceProbe,
  probeDevice,
  resolveDevice,
} from "../engine/runtime/device.ts";
import type { Work } from "../engine/runtime/device-speed.ts";
import { AppError } from "../errors.ts";

interface DevicesOptions {
  /** For jobs that ask for none. */
  readonly standard: DeviceChoice;
  /** Where jobs run in workers: what the machines of those that live can compute on, which this one need not. */
  readonly ofWorkers?: () => Promise<ReadonlySet<Device>>;
  /** What most runs of a job with that model are. */
  readonly workOf: (model: string) => Promise<Work>;
  /** Is told, once each, which GPUs `auto` passes over and why. */
  readonly log: (message: string) => void;
}

/** Where jobs compute: as the server is told to, or on another device that a job asks for. */
export class Devices {
  private readonly probes = new Map<Device, Promise<DeviceProbe>>();
  private readonly told = new Set<string>();

  constructor(private readonly options: DevicesOptions) {}

  /**
   * The device that works and is meant; with `auto` the fastest for that model. Undefined where that is left to the
   * worker that takes the job. Fails with GPU_UNAVAILABLE for a GPU that is named and does not work here, or, where
   * jobs run in workers, that none of them has. Each is tried once; one that did not work is tried again when it is
   * next named.
   *
   * @param model the reference to its files.
   */
  async choose(wanted: DeviceChoice | undefined, model: string): Promise<Device | undefined> {
    const { standard, workOf, ofWorkers } = this.options;
    if (ofWorkers) return amongWorkers(wanted ?? "auto", ofWorkers);
    const choice = wanted ?? standard;
    // The server would not have started without its own.
    if (choice === standard && choice !== "auto") return choice;
    return resolveDevice(choice, {
      log: (message) => this.tell(message),
      work: () => workOf(model),
      probe: (device) => this.probe(device, { again: choice !== "auto" }),
    });
  }

  private async probe(device: Device, { again }: { readonly again: boolean }): Promise<DeviceProbe> {
    const known = this.probes.get(device);
    if (known && (!again || (await known).works)) return known;
    const trying = probeDevice(device);
    this.probes.set(device, trying);
    return trying;
  }

  private tell(message: string): void {
    if (this.told.has(message)) return;
    this.told.add(message);
    this.options.log(message);
  }
}

/** A CPU is everywhere; a GPU that is named takes a worker that has it, and what is left open the first that is free. */
async function amongWorkers(
  wanted: DeviceChoice,
  ofWorkers: () => Promise<ReadonlySet<Device>>,
): Promise<Device | undefined> {
  if (wanted === "auto") return undefined;
  if (wanted === "cpu" || (await ofWorkers()).has(wanted)) return wanted;
  const reason = "no worker that runs now has it";
  throw new AppError(
    "GPU_UNAVAILABLE",
    `The device "${wanted}" cannot be had: ${reason}. Start a worker on a machine with it, or choose "auto" or "cpu".`,
    { device: wanted, reason },
  );
}
