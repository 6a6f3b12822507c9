import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { readStoredFloats, type StoredTensor } from "../../../src/engine/clip/stored-tensor.ts";
import { checkpointWeights } from "../../../src/engine/clip/weights.ts";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import { openSession } from "../../../src/engine/runtime/session.ts";
import { withFolder } from "./fixtures.ts";

/** Beyond what 32 bits can count, in a file with a hole that takes no room on the disk. */
const FAR = 5 * 2 ** 30 + 3;

const VALUES = Float32Array.from({ length: 6 }, (_, index) => index + 1);

/** [2, 3] in two files, the second part far behind the start of its file; and the same the other way around. */
const PARTS = [
  { file: "near.bin", offset: 4, length: 12, shape: [1, 3] },
  { file: "deep/far.bin", offset: FAR, length: 12, shape: [1, 3] },
];
const joined: StoredTensor = { name: "joined", dtype: "F32", shape: [2, 3], parts: PARTS };
const turned: StoredTensor = { name: "turned", dtype: "F32", shape: [3, 2], parts: PARTS, transposed: true };

async function writeParts(folder: string): Promise<void> {
  await mkdir(join(folder, "deep"));
  for (const [index, { file, offset }] of PARTS.entries()) {
    const handle = await open(join(folder, file), "w");
    const bytes = Buffer.from(VALUES.slice(index * 3, index * 3 + 3).buffer);
    await handle.write(bytes, 0, bytes.length, offset);
    await handle.close();
  }
}

test("a tensor's parts are joined and turned, wherever they lie", async () => {
  await withFolder(async (folder) => {
    await writeParts(folder);
    expect([...(await readStoredFloats(folder, joined))]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...(await readStoredFloats(folder, turned))]).toEqual([1, 4, 2, 5, 3, 6]);
  });
});

test("the same holds in a program, which only refers to them", async () => {
  await withFolder(async (folder) => {
    await writeParts(folder);
    const g = new GraphBuilder();
    const tensors = new Map([joined, turned].map((tensor) => [tensor.name, tensor]));
    const weights = checkpointWeights(g, { tensors });
    const factor = g.input("factor", [1, 1]);
    g.output(g.mul(weights("joined"), factor), "a");
    g.output(g.mul(weights("turned"), factor), "b");
    expect([...storageKinds(g)]).toEqual(["file"]);
    const session = await openSession({ graph: g.build(), folder }, { device: "cpu", threads: 1 });
    const { a, b } = await session.run({
      factor: { type: "float32", shape: [1, 1], data: Float32Array.of(2) },
    });
    await session.close();
    expect([a.shape, [...a.data]]).toEqual([
      [2, 3],
      [2, 4, 6, 8, 10, 12],
    ]);
    expect([b.shape, [...b.data]]).toEqual([
      [3, 2],
      [2, 8, 4, 10, 6, 12],
    ]);
  });
});

test("a weight that is asked for twice is one value, also by another reader", () => {
  const g = new GraphBuilder();
  const tensors = new Map([[turned.name, turned]]);
  const weights = checkpointWeights(g, { tensors });
  expect(weights("turned")).toBe(weights("turned"));
  expect(checkpointWeights(g, { tensors })("turned")).toBe(weights("turned"));
  expect(() => weights("other")).toThrow(/without tensor "other"/);
});

/** How the weights of a graph are stored. */
function storageKinds(g: GraphBuilder): Set<string> {
  const initializers = [...g.build().initializers.values()];
  return new Set(initializers.map(({ storage }) => storage.kind));
}
