import { type Device, type DeviceChoice, resolveDevice } from "../engine/runtime/device.ts";

/** Where jobs compute: on the server's own device, or on another that a job asks for. */
export class Devices {
  private readonly known = new Map<DeviceChoice, Promise<Device>>();

  /** @param log is told which devices `auto` passes over, and why. */
  constructor(
    private readonly standard: Device,
    private readonly log: (message: string) => void,
  ) {
    this.known.set(standard, Promise.resolve(standard));
  }

  /**
   * The device that works and is meant; the server's own without a choice. Fails with GPU_UNAVAILABLE for a GPU that
   * is named and does not work here. Each is tried once; one that did not work is tried again when it is next named.
   */
  choose(wanted: DeviceChoice = this.standard): Promise<Device> {
    const known = this.known.get(wanted);
    if (known) return known;
    const trying = resolveDevice(wanted, this.log);
    this.known.set(wanted, trying);
    trying.catch(() => this.known.delete(wanted));
    return trying;
  }
}
