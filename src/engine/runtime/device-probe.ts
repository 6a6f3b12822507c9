/**
 * Entry of a probing process: computes on the device named by its argument and on the CPU, and tells the parent whether
 * the device works and how fast both are, at large operators and at many small ones. A process of its own, because a
 * broken driver may end it.
 */
import { availableParallelism } from "node:os";
import { GraphBuilder } from "../onnx/builder.ts";
import { float32 } from "../onnx/tensor.ts";
import type { Device, DeviceProbe } from "./device.ts";
import type { DeviceSpeed } from "./device-speed.ts";
import type { Program } from "./program.ts";
import { openSession } from "./session.ts";

const LARGE = { side: 1024, products: 8 };
/** So small that only their number counts. */
const SMALL = { side: 4, products: 256 };
const ROUNDS = 3;

/** Matrix products one after the other. */
interface Chain {
  readonly side: number;
  readonly products: number;
}

function chainOfProducts({ side, products }: Chain): Program {
  const g = new GraphBuilder({ name: "device probe" });
  const start = g.input("x", [side, side]);
  // A row of each factor sums to one, so a matrix of ones stays one.
  const factor = g.constant(float32([side, side], new Float32Array(side * side).fill(1 / side)));
  let wire = start;
  for (let product = 0; product < products; product++) wire = g.matmul(wire, factor);
  g.output(g.reduceMean(wire), "mean");
  return { graph: g.build(), folder: "." };
}

/** Milliseconds of the fastest run but for the first, which also prepares. */
async function measure(device: Device, chain: Chain): Promise<number> {
  const { side } = chain;
  const session = await openSession(chainOfProducts(chain), { device, threads: availableParallelism() });
  const feeds = { x: float32([side, side], new Float32Array(side * side).fill(1)) };
  await session.run(feeds);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const begin = performance.now();
    const { mean } = await session.run(feeds);
    times.push(performance.now() - begin);
    const value = Number(mean.data[0]);
    if (!(Math.abs(value - 1) < 1e-3)) throw new Error(`it computes ${value} where 1 is right`);
  }
  await session.close();
  return Math.min(...times);
}

async function speedOf(device: Device): Promise<DeviceSpeed> {
  const operatorMilliseconds = (await measure(device, SMALL)) / SMALL.products;
  const flops = 2 * LARGE.side ** 3 * LARGE.products;
  // What the operators themselves cost is counted apart, and may on a fast GPU be nearly all of it.
  const milliseconds = await measure(device, LARGE);
  const computing = Math.max(milliseconds - LARGE.products * operatorMilliseconds, milliseconds / 10);
  return { flopsPerMillisecond: flops / computing, operatorMilliseconds };
}

/** ONNX Runtime's reason without the place in its sources where it was found. */
const plain = (reason: string): string =>
  reason
    .trim()
    .split("\n")[0]
    .replace(/^.* was false\. /, "");

async function probe(device: Device): Promise<DeviceProbe> {
  try {
    const speed = await speedOf(device);
    return { works: true, speed, cpuSpeed: device === "cpu" ? speed : await speedOf("cpu") };
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = (cause as Error | undefined)?.message ?? message;
    return { works: false, reason: plain(reason) };
  }
}

process.send?.(await probe(process.argv[2] as Device), () => process.exit(0));
