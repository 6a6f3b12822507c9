import { expect, test } from "@jest/globals";
import { probeDevice, resolveDevice } from "../../../src/engine/runtime/device.ts";

test("the CPU always works", async () => {
  expect(await resolveDevice("cpu")).toBe("cpu");
  expect(await probeDevice("cpu")).toMatchObject({ works: true, milliseconds: expect.any(Number) });
});

test("a GPU that is named works or is refused with what it lacks; auto takes it or says why not", async () => {
  const log: string[] = [];
  const automatic = await resolveDevice("auto", (message) => log.push(message));
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
