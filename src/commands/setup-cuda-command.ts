import type { Command } from "./command.ts";

export const setupCudaCommand: Command = {
  summary: "Adds what ONNX Runtime needs for NVIDIA GPUs, and tries it.",
  positionals: [],
  flags: {
    force: {
      help: "Goes on without a driver, as when an image is built, and downloads what is there again.",
    },
  },
  notes: `Linux on x64 only. The download goes into node_modules, so npm ci removes it again. The driver,
CUDA 12 and cuDNN 9 are the machine's own and have to be there. Then:

  DEVICE=cuda antidote serve`,
  load: async () => (await import("./setup-cuda.ts")).setupCuda,
};
