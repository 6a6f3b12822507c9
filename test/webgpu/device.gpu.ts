import { expect, test } from "@jest/globals";
import { probeDevice, resolveDevice } from "../../src/engine/runtime/device.ts";

test("the device computes what the CPU computes, and is taken when it is named", async () => {
  expect(await probeDevice("webgpu")).toMatchObject({ works: true });
  expect(await resolveDevice("webgpu")).toBe("webgpu");
});

test("the fastest device is this one only where it beats the CPU", async () => {
  const probe = await probeDevice("webgpu");
  if (!probe.works) throw new Error(probe.reason);
  const log: string[] = [];
  const chosen = await resolveDevice("auto", { log: (message) => log.push(message) });
  if (chosen === "cpu") expect(log.at(-1)).toMatch("Not using webgpu: it is slower than the CPU");
  else expect(["cuda", "webgpu"]).toContain(chosen);
});
