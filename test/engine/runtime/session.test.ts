import { rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import { float32, type Tensor, tensorOf } from "../../../src/engine/onnx/tensor.ts";
import { openSession } from "../../../src/engine/runtime/session.ts";
import { openWorkerSession } from "../../../src/engine/runtime/worker-session.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { fileWeight, twoOutputs } from "./programs.ts";

const options = { device: "cpu", threads: 1 } as const;
const x = () => float32([2, 3], [0, 1, 2, 3, 4, 5]);
const values = ({ data }: Tensor) => Array.from(data as Float32Array);

describe.each([
  ["in this thread", openSession],
  ["in a worker thread", openWorkerSession],
])("a session %s", (_, open) => {
  test("gives all outputs, or those asked for", async () => {
    const session = await open(twoOutputs(), options);
    const { sum, product } = await session.run({ x: x() });
    expect(sum).toMatchObject({ type: "float32", shape: [2, 3] });
    expect(values(sum)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(values(product)).toEqual([0, 2, 4, 6, 8, 10]);
    expect(Object.keys(await session.run({ x: x() }, ["product"]))).toEqual(["product"]);
    await session.close();
  });

  test("leaves the feeds to the caller", async () => {
    const session = await open(twoOutputs(), options);
    const feed = x();
    await session.run({ x: feed });
    expect(values(feed)).toEqual([0, 1, 2, 3, 4, 5]);
    await session.close();
  });

  test("runs on feeds that are given away", async () => {
    const session = await open(twoOutputs(), options);
    const { sum } = await session.run({ x: x() }, undefined, { giveFeeds: true });
    expect(values(sum)).toEqual([1, 2, 3, 4, 5, 6]);
    await session.close();
  });

  test("puts a feed together that comes in parts", async () => {
    const session = await open(twoOutputs(), options);
    const parts = [new Float32Array([0, 1, 2]), new Float32Array([3, 4, 5])];
    const stacked = { type: "float32", shape: [2, 3], parts } as const;
    expect(values((await session.run({ x: stacked })).sum)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(parts[1]).toHaveLength(3);
    const given = await session.run({ x: stacked }, ["sum"], { giveFeeds: true });
    expect(values(given.sum)).toEqual([1, 2, 3, 4, 5, 6]);
    await session.close();
  });

  test("answers many runs that are asked for at once, each with its own", async () => {
    const session = await open(twoOutputs(), options);
    const runs = Array.from({ length: 20 }, (_, index) =>
      session.run({ x: float32([2, 3], new Float32Array(6).fill(index)) }, ["sum"]),
    );
    expect((await Promise.all(runs)).map(({ sum }) => sum.data[0])).toEqual(
      runs.map((_, index) => index + 1),
    );
    await session.close();
  });

  test("reads weights from their file, and runs at any batch where the program says so", async () => {
    const session = await open(fileWeight(temporaryFolder()), options);
    for (const batch of [1, 4, 2]) {
      const { y } = await session.run({ x: float32([batch, 3], new Float32Array(batch * 3).fill(1)) });
      expect(y.shape).toEqual([batch, 2]);
      expect(values(y)).toEqual(Array.from({ length: batch }, () => [6, 60]).flat());
    }
    await session.close();
  });

  test.each(["int64", "int32", "bool", "float64"] as const)("carries %s", async (type) => {
    const g = new GraphBuilder();
    g.output(g.identity(g.input("x", [2], type)), "y");
    const session = await open({ graph: g.build(), folder: "." }, options);
    const tensor = tensorOf(type, [2], [0, 1]);
    expect((await session.run({ x: tensor })).y).toEqual(tensor);
    await session.close();
  });

  test.each([
    ["is missing", (file: string) => rmSync(file)],
    ["is cut short", (file: string) => truncateSync(file, 11)],
  ])("whose weight file %s is INVALID_GRAPH, without a path in the message", async (_, damage) => {
    const folder = temporaryFolder();
    const program = fileWeight(folder);
    damage(join(folder, "weights.bin"));
    const refused = await open(program, options).catch((error) => error);
    expect(refused).toMatchObject({ name: "AppError", code: "INVALID_GRAPH", details: { device: "cpu" } });
    expect(refused.message).toContain("file weight");
    expect(refused.message).not.toContain(folder);
    expect(JSON.stringify(refused.cause.stack ?? refused.cause)).toMatch(/weights\.bin|initializer: w/);
  });

  test("a run with the wrong feeds fails and leaves the session whole", async () => {
    const session = await open(twoOutputs(), options);
    await expect(session.run({})).rejects.toThrow(/two outputs/);
    await expect(session.run({ x: float32([3, 3]) })).rejects.toThrow(/two outputs/);
    expect(values((await session.run({ x: x() })).sum)).toHaveLength(6);
    await session.close();
  });
});

test("a session whose thread dies fails what is under way with WORKER_LOST, and the next run compiles again", async () => {
  const session = await openWorkerSession(twoOutputs(), options);
  const { channel } = session as unknown as { channel: { worker: { terminate(): Promise<number> } } };
  const lost = session.run({ x: x() });
  await Promise.all([
    expect(lost).rejects.toMatchObject({ code: "WORKER_LOST" }),
    channel.worker.terminate(),
  ]);
  expect(values((await session.run({ x: x() })).sum)).toEqual([1, 2, 3, 4, 5, 6]);
  await session.close();
  await expect(session.run({ x: x() })).rejects.toMatchObject({ code: "WORKER_LOST" });
});
