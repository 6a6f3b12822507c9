import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import * as onnxruntime from "onnxruntime-node";
import {
  perImageProgram,
  promptGradientProgram,
  tuningHeadProgram,
  tuningProgram,
  universalProgram,
} from "../../src/engine/cbpt/objective.ts";
import { type Checkpoint, openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { imageProgram, textProgram } from "../../src/engine/clip/programs.ts";
import { float32, sizeOf, type Tensor } from "../../src/engine/onnx/tensor.ts";
import { randomStream } from "../../src/engine/random.ts";
import type { Device } from "../../src/engine/runtime/device.ts";
import { encodeProgram, type Program } from "../../src/engine/runtime/program.ts";
import { openSession } from "../../src/engine/runtime/session.ts";
import { cosine, relativeError } from "../engine/clip/fixtures.ts";

type MakeProgram = (checkpoint: Checkpoint, device: Device) => Program;

/** Every program that a job or the server runs. */
const PROGRAMS: Record<string, MakeProgram> = {
  image: (checkpoint) => imageProgram(checkpoint, { batch: "dynamic" }),
  text: (checkpoint) => textProgram(checkpoint, { classes: 3, length: 8 }),
  tuning: (checkpoint, device) => tuningProgram(checkpoint, { classes: 3, length: 8, batch: 4 }, device),
  "tuning head": (checkpoint, device) => tuningHeadProgram(checkpoint, { classes: 3, batch: 4 }, device),
  "prompt gradient": (checkpoint, device) =>
    promptGradientProgram(checkpoint, { classes: 3, length: 8 }, device),
  universal: (checkpoint, device) =>
    universalProgram(checkpoint, { triggers: 2, images: 2, classes: 3 }, device),
  "per image": (checkpoint, device) => perImageProgram(checkpoint, { batch: 2, temperature: 0.1 }, device),
};

const ONE_HOT = ["labels", "targets", "suspects"];

const table: string[] = [];
afterAll(() => console.log(["WebGPU against the CPU", ...table].join("\n")));

describe.each(["resnet", "vit"])("%s", (model) => {
  test.each(Object.keys(PROGRAMS))("%s: the same values as on the CPU", async (name) => {
    const checkpoint = await openCheckpoint(join(__dirname, "../fixtures/clip", model));
    const make = PROGRAMS[name];
    const cpu = await run(make(checkpoint, "cpu"), "cpu");
    const gpu = await run(make(checkpoint, "webgpu"), "webgpu");
    for (const output of Object.keys(cpu.outputs)) {
      const [expected, found] = [cpu.outputs[output], gpu.outputs[output]];
      const [error, alike] = [relativeError(found, expected), cosine(found, expected)];
      table.push(
        `${model.padEnd(8)}${name.padEnd(18)}${output.padEnd(12)}relative ${error.toExponential(1)}  cosine ${alike.toFixed(9)}  ${cpu.milliseconds.toFixed(1)} ms on the CPU, ${gpu.milliseconds.toFixed(1)} ms here`,
      );
      // Units of a ReLU network that are nearly zero may pass their gradient or not.
      if (model === "resnet" && output === "gradient") expect(alike).toBeGreaterThan(0.9999);
      else expect(error).toBeLessThan(2e-5);
    }
  });

  test.each(Object.keys(PROGRAMS))("%s: no operator is left to the CPU", async (name) => {
    const checkpoint = await openCheckpoint(join(__dirname, "../fixtures/clip", model));
    const program = PROGRAMS[name](checkpoint, "webgpu");
    const session = await onnxruntime.InferenceSession.create(encodeProgram(program).model, {
      executionProviders: ["webgpu"],
      extra: {
        session: {
          model_external_initializers_file_folder_path: program.folder,
          disable_cpu_ep_fallback: "1",
        },
      },
    });
    await session.release();
  });
});

/** Values of the second run; the first one also compiles shaders. */
async function run(program: Program, device: Device) {
  const random = randomStream(7);
  const feeds = Object.fromEntries(
    program.graph.inputs.map(({ name, shape }): [string, Tensor] => [
      name,
      float32(shape, values(name, shape)),
    ]),
  );
  function values(name: string, shape: readonly number[]): Float32Array {
    const last = shape[1];
    return Float32Array.from({ length: sizeOf(shape) }, (_, index) => {
      if (name === "endOfText") return index % last === last - 1 ? 1 : 0;
      if (!ONE_HOT.includes(name)) return random.uniform();
      const shifted = Math.floor(index / last) + (name === "suspects" ? 1 : 0);
      return index % last === shifted % last ? 1 : 0;
    });
  }
  const session = await openSession(program, { device, threads: 2 });
  try {
    await session.run(feeds);
    const begin = performance.now();
    const results = await session.run(feeds);
    const milliseconds = performance.now() - begin;
    const outputs = Object.fromEntries(
      Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]),
    );
    return { outputs, milliseconds };
  } finally {
    await session.close();
  }
}
