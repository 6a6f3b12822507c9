import { describe, expect, test } from "@jest/globals";
import {
  type DeviceProbe,
  probeDevice,
  resolveDevice,
  triedOnce,
  workingDevices,
} from "../../../src/engine/runtime/device.ts";

test("the CPU always works", async () => {
  expect(await resolveDevice("cpu")).toBe("cpu");
  expect(await probeDevice("cpu")).toMatchObject({
    works: true,
    speed: { flopsPerMillisecond: expect.any(Number), operatorMilliseconds: expect.any(Number) },
  });
});

test("a GPU that is named works or is refused with what it lacks; auto takes it or says why not", async () => {
  const log: string[] = [];
  const automatic = await resolveDevice("auto", { log: (message) => log.push(message) });
  for (const device of ["cuda", "webgpu"] as const) {
    const resolved = await resolveDevice(device).catch((error) => error);
    if (resolved !== device) {
      expect(resolved).toMatchObject({ code: "GPU_UNAVAILABLE", details: { device } });
      expect(resolved.message).toMatch(/It needs .* Or choose "auto" or "cpu"\.$/);
    }
    if (automatic === device) break;
    expect(log.shift()).toMatch(new RegExp(`^Not using ${device}: `));
  }
});

describe("auto, where a GPU works that computes fast and takes long from one operator to the next", () => {
  const probe = async (device: string): Promise<DeviceProbe> =>
    device === "cuda"
      ? { works: false, reason: "there is no driver" }
      : {
          works: true,
          speed: { flopsPerMillisecond: 1e10, operatorMilliseconds: 0.04 },
          cpuSpeed: { flopsPerMillisecond: 1e9, operatorMilliseconds: 0.002 },
        };

  test("is one of the devices that work, beside the CPU", async () => {
    expect(await workingDevices(probe)).toEqual(["cpu", "webgpu"]);
  });

  test("is tried once, whoever asks for it", async () => {
    const tried: string[] = [];
    const once = triedOnce(async (device) => {
      tried.push(device);
      return probe(device);
    });
    await resolveDevice("webgpu", { probe: once });
    expect(await workingDevices(once)).toEqual(["cpu", "webgpu"]);
    expect(tried.sort()).toEqual(["cuda", "webgpu"]);
  });

  test("takes it for a large model", async () => {
    const work = async () => ({ flops: 2e11, operators: 1000 });
    expect(await resolveDevice("auto", { work, probe })).toBe("webgpu");
  });

  test("takes the CPU for a small one, and says what it expected", async () => {
    const log: string[] = [];
    const work = async () => ({ flops: 4e9, operators: 500 });
    expect(await resolveDevice("auto", { work, probe, log: (message) => log.push(message) })).toBe("cpu");
    expect(log).toEqual([
      "Not using cuda: there is no driver.",
      "Not using webgpu: it is slower than the CPU for this model (about 20.4 and 5.0 ms a run).",
    ]);
  });

  test("does not ask what is to be computed where no GPU works", async () => {
    const work = () => Promise.reject(new Error("asked"));
    const none = async (): Promise<DeviceProbe> => ({ works: false, reason: "none" });
    expect(await resolveDevice("auto", { work, probe: none })).toBe("cpu");
  });
});
