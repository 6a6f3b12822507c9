import { appendFileSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "@jest/globals";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import { float32 } from "../../../src/engine/onnx/tensor.ts";
import { stampsOf } from "../../../src/engine/runtime/file-stamps.ts";
import { packed } from "../../../src/engine/runtime/private-weights.ts";
import type { Program } from "../../../src/engine/runtime/program.ts";
import { openSession, type Session } from "../../../src/engine/runtime/session.ts";
import { openWorkerSession } from "../../../src/engine/runtime/worker-session.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const COUNT = 4096;
let folder: string;

beforeEach(() => {
  folder = temporaryFolder();
  const values = Float32Array.from({ length: 2 * COUNT + 1 }, (_, index) => index);
  // The weights do not begin where floats would.
  writeFileSync(join(folder, "weights"), Buffer.concat([Buffer.alloc(3), Buffer.from(values.buffer)]));
});

/** "y" [4096]: "x" [1] and two constants of the file together, one after the other. */
function sum(): Program {
  const g = new GraphBuilder({ name: "sum" });
  const x = g.input("x", [1]);
  const stored = (offset: number) =>
    g.initializer(`weight ${offset}`, "float32", [COUNT], {
      kind: "file",
      file: "weights",
      offset,
      length: 4 * COUNT,
    });
  g.output(g.add(g.add(x, stored(3)), stored(3 + 4 * COUNT)), "y");
  return { graph: g.build(), folder };
}

const run = async (session: Session) => {
  const { y } = await session.run({ x: float32([1], Float32Array.of(0.5)) });
  await session.close();
  return Array.from(y.data as Float32Array).slice(0, 3);
};
const EXPECTED = [0, 1, 2].map((index) => 0.5 + index + (COUNT + index));
const CPU = { device: "cpu", threads: 1 } as const;

describe.each([
  ["this thread", openSession],
  ["another thread", openWorkerSession],
])("weights that are read into memory, in %s", (_, open) => {
  test("are those of the file, and stay so when that is cut short or written to", async () => {
    const session = await open(sum(), { ...CPU, weights: await stampsOf(folder, ["weights"]) });
    writeFileSync(join(folder, "weights"), Buffer.alloc(8 * COUNT + 7));
    truncateSync(join(folder, "weights"), 10);
    expect(await run(session)).toEqual(EXPECTED);
  });

  test("are not read from a file that has changed since it was stamped", async () => {
    const weights = await stampsOf(folder, ["weights"]);
    appendFileSync(join(folder, "weights"), "more");
    await expect(open(sum(), { ...CPU, weights })).rejects.toMatchObject({ code: "INCOMPATIBLE_MODEL" });
    truncateSync(join(folder, "weights"), 10);
    const short = await stampsOf(folder, ["weights"]);
    rmSync(join(folder, "weights"));
    for (const stamps of [short, {}])
      await expect(open(sum(), { ...CPU, weights: stamps })).rejects.toMatchObject({
        code: "INCOMPATIBLE_MODEL",
      });
  });

  test("are found where links lead", async () => {
    const linked = temporaryFolder();
    mkdirSync(join(linked, "model"));
    symlinkSync(join(folder, "weights"), join(linked, "model", "weights"));
    const weights = await stampsOf(join(linked, "model"), ["weights"]);
    const session = await open({ ...sum(), folder: join(linked, "model") }, { ...CPU, weights });
    expect(await run(session)).toEqual(EXPECTED);
  });
});

test("weights that are there twice are read once, each where vector instructions like it", () => {
  const { graph } = sum();
  const [first] = graph.initializers.values();
  const again = new Map([...graph.initializers, ["again", { ...first, name: "again" }]]);
  const { ranges, bytes } = packed({ ...graph, initializers: again })!;
  expect(ranges).toMatchObject([
    { file: "weights", offset: 3, place: 0 },
    { file: "weights", offset: 3 + 4 * COUNT, place: 4 * COUNT },
  ]);
  expect(bytes).toBe(8 * COUNT);
});
