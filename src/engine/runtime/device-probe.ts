/**
 * Entry of a probing process: computes a chain of matrix products on the device named by its argument and on the
 * CPU, and tells the parent whether the device works and how long each took. A process of its own, because a broken
 * driver may end it.
 */
import { GraphBuilder } from "../onnx/builder.ts";
import { float32 } from "../onnx/tensor.ts";
import type { Device, DeviceProbe } from "./device.ts";
import type { Program } from "./program.ts";
import { openSession } from "./session.ts";

const SIDE = 512;
const PRODUCTS = 8;

function chainOfProducts(): Program {
  const g = new GraphBuilder({ name: "device probe" });
  const start = g.input("x", [SIDE, SIDE]);
  // A row of each factor sums to one, so a matrix of ones stays one.
  const factor = g.constant(float32([SIDE, SIDE], new Float32Array(SIDE * SIDE).fill(1 / SIDE)));
  let wire = start;
  for (let product = 0; product < PRODUCTS; product++) wire = g.matmul(wire, factor);
  g.output(g.reduceMean(wire), "mean");
  return { graph: g.build(), folder: "." };
}

/** Milliseconds of the second run; the first one also prepares. */
async function measure(device: Device): Promise<number> {
  const session = await openSession(chainOfProducts(), { device, threads: 2 });
  const feeds = { x: float32([SIDE, SIDE], new Float32Array(SIDE * SIDE).fill(1)) };
  await session.run(feeds);
  const begin = performance.now();
  const { mean } = await session.run(feeds);
  const milliseconds = performance.now() - begin;
  const value = Number(mean.data[0]);
  if (!(Math.abs(value - 1) < 1e-3)) throw new Error(`it computes ${value} where 1 is right`);
  return milliseconds;
}

/** ONNX Runtime's reason without the place in its sources where it was found. */
const plain = (reason: string): string =>
  reason
    .trim()
    .split("\n")[0]
    .replace(/^.* was false\. /, "");

async function probe(device: Device): Promise<DeviceProbe> {
  try {
    return { works: true, milliseconds: await measure(device), cpuMilliseconds: await measure("cpu") };
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = (cause as Error | undefined)?.message ?? message;
    return { works: false, reason: plain(reason) };
  }
}

process.send?.(await probe(process.argv[2] as Device), () => process.exit(0));
