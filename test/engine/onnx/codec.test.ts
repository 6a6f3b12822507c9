import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { int } from "../../../src/engine/onnx/attributes.ts";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import { decodeModel, encodeModel, withDynamicBatch } from "../../../src/engine/onnx/codec.ts";
import type { Graph } from "../../../src/engine/onnx/graph.ts";
import { printGraph } from "../../../src/engine/onnx/printer.ts";
import { float32, int64 } from "../../../src/engine/onnx/tensor.ts";
import { AppError } from "../../../src/errors.ts";
import { uniform } from "../support/random.ts";

const exported = readFileSync(join(__dirname, "../../fixtures/onnx/exported.onnx"));

function everything(): Graph {
  const g = new GraphBuilder({ name: "everything" });
  const x = g.input("x", [2, 3]);
  const stored = g.initializer("stored", "float16", [3, 2], {
    kind: "file",
    file: "w.bin",
    offset: 7,
    length: 12,
  });
  const y = g.matmul(x, g.cast(stored, "float32"));
  const inner = new GraphBuilder({ name: "inner" });
  const branch = inner.build();
  const constant = {
    ...g.constant(float32([2], [0.1, -2])),
    storage: { kind: "inline", bytes: new Uint8Array(8) },
  };
  const odd = g.one("Odd", [y, undefined, g.constant(int64([2], [-1, 9]))], [2, 2], {
    graph: { kind: "graph", value: branch },
    tensor: { kind: "tensor", value: { ...constant, storage: { kind: "inline", bytes: new Uint8Array(8) } } },
    floats: { kind: "floats", value: [0.5, -1] },
    end: int(2 ** 63),
    text: { kind: "string", value: "café" },
  });
  g.output(odd, "odd");
  return g.build();
}

function rejection(bytes: Uint8Array): unknown {
  try {
    decodeModel(bytes);
    return undefined;
  } catch (error) {
    return error;
  }
}

describe("codec", () => {
  test("decode undoes encode", () => {
    const graph = everything();
    const decoded = decodeModel(encodeModel(graph));
    expect(printGraph(decoded)).toBe(printGraph(graph));
    expect(decoded).toEqual(graph);
  });

  test("an open batch is −1", () => {
    const decoded = decodeModel(encodeModel(withDynamicBatch(everything(), "x")));
    expect(decoded.inputs[0].shape).toEqual([-1, 3]);
    expect(decoded.outputs[0].shape).toEqual([-1, 2]);
  });

  test("weights are views of the file, not copies", () => {
    const graph = decodeModel(exported);
    const weight = graph.initializers.get("convolution.weight");
    expect(weight?.shape).toEqual([4, 3, 3, 3]);
    expect(weight?.storage.kind === "inline" && weight.storage.bytes.buffer).toBe(exported.buffer);
  });

  test.each([
    ["empty", new Uint8Array()],
    ["text", Buffer.from("This is not a model, it only says so.")],
    ["half of one", exported.subarray(0, exported.length / 2)],
  ])("%s bytes are an invalid graph", (_name, bytes) => {
    expect(rejection(bytes)).toMatchObject({ code: "INVALID_GRAPH" });
  });

  test("damage anywhere is an invalid graph or another graph, never a crash", () => {
    const random = uniform(3);
    for (let round = 0; round < 1500; round += 1) {
      const damaged = Uint8Array.from(exported);
      for (let hit = 0; hit < 3; hit += 1)
        damaged[Math.floor(random() * damaged.length)] = Math.floor(random() * 256);
      const error = rejection(damaged);
      if (error !== undefined && !(error instanceof AppError)) throw error;
    }
    for (let length = 0; length < exported.length; length += 13)
      expect(rejection(exported.subarray(0, length))).toMatchObject({ code: "INVALID_GRAPH" });
  });

  test.each([
    ["an opset of the past", { opset: 9 }, "opset 9"],
    [
      "a length that contradicts the shape",
      {
        initializers: new Map([
          [
            "w",
            { name: "w", type: "float32", shape: [2], storage: { kind: "inline", bytes: new Uint8Array(4) } },
          ],
        ]),
      },
      "needs 8",
    ],
    [
      "a value that is read before it is made",
      { nodes: [{ op: "Exp", name: "e", inputs: ["nowhere"], outputs: ["odd"], attributes: {} }] },
      '"nowhere"',
    ],
    ["an output that nothing makes", { nodes: [] }, "nothing makes"],
  ] satisfies [string, Partial<Graph>, string][])("%s is refused by name", (_name, change, message) => {
    expect(rejection(encodeModel({ ...everything(), ...change }))).toMatchObject({
      code: "INVALID_GRAPH",
      message: expect.stringContaining(message),
    });
  });

  test.each(["../w", "/w", "a/../../w", "C:\\w", "a//w", "", "a\\..\\..\\w", "w\0"])(
    "weights in %j are not read",
    (file) => {
      const storage = { kind: "file", file, offset: 0, length: 4 } as const;
      const initializers = new Map([["w", { name: "w", type: "float32", shape: [1], storage } as const]]);
      expect(rejection(encodeModel({ ...everything(), initializers }))).toMatchObject({
        code: "UNSAFE_ARTIFACT",
        message: expect.stringContaining("not within the model's folder"),
      });
    },
  );
});
