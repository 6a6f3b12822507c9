import { registerEnumType } from "type-graphql";

/** The engine's names of devices, in capitals. */
export const Device = { AUTO: "auto", CPU: "cpu", CUDA: "cuda", WEBGPU: "webgpu" } as const;

registerEnumType(Device, {
  name: "Device",
  description:
    "Where a job computes. One that works neither on the server nor, with workers, on any of theirs is GPU_UNAVAILABLE.",
  valuesConfig: {
    AUTO: { description: "The fastest that works; the CPU where no GPU does." },
    CUDA: { description: "An NVIDIA GPU." },
    WEBGPU: { description: "Any GPU with a Vulkan, Metal or Direct3D driver." },
  },
});
