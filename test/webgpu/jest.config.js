import base from "../../jest.config.js";

// The GPU path, apart from the other tests: it needs a Vulkan driver, and a software one takes minutes.
const config = {
  ...base,
  rootDir: "../..",
  globalSetup: "<rootDir>/test/webgpu/require-webgpu.cjs",
  testMatch: ["<rootDir>/test/webgpu/*.gpu.ts"],
  testTimeout: 900_000,
  maxWorkers: 1,
};

export default config;
