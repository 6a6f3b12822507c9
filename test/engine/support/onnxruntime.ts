import { InferenceSession, Tensor } from "onnxruntime-node";
import { encodeModel } from "../../../src/engine/onnx/codec.ts";
import type { Graph } from "../../../src/engine/onnx/graph.ts";
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
