import { existsSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { type Machine, obstacleOf } from "../../src/commands/cuda-requirements.ts";
import { antidote } from "./program.ts";

const READY: Machine = {
  platform: "linux",
  architecture: "x64",
  driver: true,
  libraries: ["libcudart.so.12", "libcublas.so.12", "libcudnn.so.9"],
};

describe("a machine", () => {
  test("with a driver, CUDA 12 and cuDNN 9 is ready", () => {
    expect(obstacleOf(READY)).toBeUndefined();
  });

  test.each<[string, Partial<Machine>, RegExp]>([
    ["of another system", { platform: "darwin" }, /made for Linux on x64, and this is darwin on x64/],
    ["of another processor", { architecture: "arm64" }, /this is linux on arm64.*DEVICE=webgpu/],
    ["without a driver", { driver: false, libraries: [] }, /No NVIDIA driver.*Install the driver.*--force/],
    [
      "without libraries",
      { libraries: [] },
      /libcudart\.so\.12, libcublas\.so\.12, libcudnn\.so\.9 cannot be found\. Install CUDA 12 and cuDNN 9/,
    ],
    [
      "without cuDNN",
      { libraries: READY.libraries.slice(0, 2) },
      /^libcudnn\.so\.9 cannot be found\. Install cuDNN 9/,
    ],
    [
      "with another CUDA",
      { libraries: ["libcudart.so.13", "libcublas.so.13", "libcudnn.so.9"] },
      /\(there is libcublas\.so\.13, libcudart\.so\.13, which is another version\)\. Install CUDA 12,/,
    ],
  ])("%s is told what to do", (_what, change, message) => {
    expect(obstacleOf({ ...READY, ...change })).toMatch(message);
  });
});

test("without a driver nothing is downloaded, and the command says why", async () => {
  if (existsSync("/proc/driver/nvidia/version"))
    return console.warn("This machine has an NVIDIA driver, so the refusal without one cannot be tested.");
  const { code, out, err } = await antidote(["setup-cuda"]);
  expect([code, out]).toEqual([1, ""]);
  expect(err).toMatch(/No NVIDIA driver is loaded|made for Linux on x64/);
});
