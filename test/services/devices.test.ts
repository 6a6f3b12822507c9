import { expect, test } from "@jest/globals";
import { type Device, probeDevice } from "../../src/engine/runtime/device.ts";
import { Devices } from "../../src/services/devices.ts";

const MODEL = "scenes-badnet";
const devices = (options: Partial<ConstructorParameters<typeof Devices>[0]>): Devices =>
  new Devices({
    standard: "cpu",
    workOf: async () => ({ flops: 1e9, operators: 100 }),
    log: () => {},
    ...options,
  });
const GPUS = ["cuda", "webgpu"] as const;

test("without a choice it is the server's device, untried", async () => {
  expect(await devices({ standard: "webgpu" }).choose(undefined, MODEL)).toBe("webgpu");
});

test("a GPU that is named works or is GPU_UNAVAILABLE, each time", async () => {
  const known = devices({});
  for (const device of GPUS) {
    const { works } = await probeDevice(device);
    for (let time = 0; time < 2; time++) {
      const choice = known.choose(device, MODEL);
      if (works) expect(await choice).toBe(device);
      else await expect(choice).rejects.toMatchObject({ code: "GPU_UNAVAILABLE", details: { device } });
    }
  }
});

test("the fastest is looked for once, and what is passed over is told once", async () => {
  const log: string[] = [];
  const known = devices({ log: (message) => log.push(message) });
  const found = await Promise.all([known.choose("auto", MODEL), known.choose("auto", MODEL)]);
  expect(found[0]).toBe(found[1]);
  const passedOver = found[0] === "webgpu" ? GPUS.slice(0, 1) : found[0] === "cpu" ? GPUS : [];
  expect(log).toEqual(passedOver.map((device) => expect.stringContaining(`Not using ${device}: `)));
});

test("where jobs run in workers, the one that takes a job decides, unless a device is named", async () => {
  const known = devices({ standard: "auto", ofWorkers: async () => new Set(["cpu"] as const) });
  expect(await known.choose(undefined, MODEL)).toBeUndefined();
  expect(await known.choose("auto", MODEL)).toBeUndefined();
  expect(await known.choose("cpu", MODEL)).toBe("cpu");
});

test("a GPU is looked for among the workers, not on the server's machine", async () => {
  const alive = new Set<Device>(["cpu"]);
  const known = devices({ ofWorkers: async () => alive });
  for (const device of GPUS) {
    await expect(known.choose(device, MODEL)).rejects.toMatchObject({
      code: "GPU_UNAVAILABLE",
      details: { device, reason: "no worker that runs now has it" },
    });
    alive.add(device);
    expect(await known.choose(device, MODEL)).toBe(device);
  }
});
