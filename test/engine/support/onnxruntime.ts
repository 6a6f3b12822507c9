import { InferenceSession, Tensor } from "onnxruntime-node";
import { encodeModel } from "../../../src/engine/onnx/codec.ts";
import type { Graph } from "../../../src/engine/onnx/graph.ts";
import type { Tensor as EngineTensor } from "../../../src/engine/onnx/tensor.ts";
import type { Value } from "../reference/values.ts";

/** Runs a float32 graph in ONNX Runtime on the CPU; results in the graph's order. */
export async function runFloat32(
  graph: Graph,
  feeds: Readonly<Record<string, Value>>,
  threads = 1,
): Promise<Value[]> {
  const session = await InferenceSession.create(encodeModel(graph), {
    intraOpNumThreads: threads,
    logSeverityLevel: 3,
  });
  const tensors = Object.entries(feeds).map(([name, value]) => [
    name,
    new Tensor("float32", Float32Array.from(value.data), value.shape),
  ]);
  const results = await session.run(Object.fromEntries(tensors));
  await session.release();
  return graph.outputs.map(({ name }) => {
    const { dims, data } = results[name];
    return { shape: dims, data: Float64Array.from(data as Float32Array) };
  });
}

/** Largest difference, relative to the largest element. */
export function relativeError(actual: Value, expected: Value): number {
  if (actual.data.length !== expected.data.length) return Number.POSITIVE_INFINITY;
  const scale = expected.data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-3);
  return actual.data.reduce(
    (worst, value, i) => Math.max(worst, Math.abs(value - expected.data[i]) / scale),
    0,
  );
}

/** Runs any graph once and gives its outputs by name, as the passes want to have it. */
export async function runTensors(
  graph: Graph,
  feeds: Readonly<Record<string, EngineTensor>> = {},
): Promise<Record<string, EngineTensor>> {
  const session = await InferenceSession.create(encodeModel(graph), {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const inputs = Object.entries(feeds).map(([name, { type, data, shape }]) => [
    name,
    new Tensor(type as "float32", data as Float32Array, shape),
  ]);
  const results = await session.run(Object.fromEntries(inputs));
  await session.release();
  const outputs = Object.entries(results).map(([name, { type, dims, data }]) => [
    name,
    { type, shape: dims, data },
  ]);
  return Object.fromEntries(outputs);
}
