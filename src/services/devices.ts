import {
  type Device,
  type DeviceChoice,
  type DeviceProbe,
  probeDevice,
  resolveDevice,
} from "../engine/runtime/device.ts";
import type { Work } from "../engine/runtime/device-speed.ts";

interface DevicesOptions {
  /** For jobs that ask for none. */
  readonly standard: DeviceChoice;
  /** Whether jobs run in workers, whose machines may have other devices than this one. */
  readonly hasWorkers?: boolean;
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
   * worker that takes the job. Fails with GPU_UNAVAILABLE for a GPU that is named and does not work here. Each is tried
   * once; one that did not work is tried again when it is next named.
   *
   * @param model the reference to its files.
   */
  async choose(wanted: DeviceChoice | undefined, model: string): Promise<Device | undefined> {
    const { standard, workOf, hasWorkers } = this.options;
    if (hasWorkers && (wanted ?? "auto") === "auto") return undefined;
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
