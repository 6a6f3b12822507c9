import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "@jest/globals";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import { decodeModel, encodeModel } from "../../../src/engine/onnx/codec.ts";
import type { Graph, Initializer, Node } from "../../../src/engine/onnx/graph.ts";
import { readModelFile } from "../../../src/engine/onnx/model-file.ts";
import { float32 } from "../../../src/engine/onnx/tensor.ts";
import { withFolder } from "../clip/fixtures.ts";

/** A field of protobuf that holds others, or a text. */
function field(number: number, ...content: (Uint8Array | string)[]): Uint8Array {
  const bytes = content.map((part) => (typeof part === "string" ? Buffer.from(part) : part));
  return new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(Buffer.concat(bytes)).finish();
}

const opset = Uint8Array.of(0x42, 0x02, 0x10, 18);
const modelOf = (graph: Uint8Array[], ...rest: Uint8Array[]) =>
  Buffer.concat([opset, field(7, ...graph), ...rest]);

/** A node of protobuf, in field `number` of what holds it. */
const nodeOf = (number: number, op: string, inputs: string[], outputs: string[], name = "", domain = "") =>
  field(
    number,
    ...inputs.map((input) => field(1, input)),
    ...outputs.map((output) => field(2, output)),
    field(3, name),
    field(4, op),
    field(7, domain),
  );

/** The type of floats of shape [2]. */
const floats = field(1, Uint8Array.of(0x08, 1), field(2, field(1, Uint8Array.of(0x08, 2))));
const described = (number: number, name: string) => field(number, field(1, name), field(2, floats));

/** A function of the domain "d" in a model: a chain of as many nodes as there are names. */
function chainOf(op: string, names: readonly string[]): Uint8Array {
  const nodes = names.map((name, index) => nodeOf(7, "Exp", [names[index - 1] ?? "x"], [name], `n${name}`));
  return field(25, field(1, op), field(4, "x"), field(5, names[names.length - 1]), ...nodes, field(10, "d"));
}

const invalid = (message: RegExp) =>
  expect.objectContaining({ code: "INVALID_GRAPH", message: expect.stringMatching(message) });

describe("an ONNX model made to exhaust whoever opens it", () => {
  test("of thousands of nodes that want one name gives each its own", () => {
    const graph = decodeModel(modelOf(Array(20_000).fill(nodeOf(1, "A", [], [""]))));
    expect(new Set(graph.nodes.map(({ name }) => name)).size).toBe(20_000);
  });

  test("of more nodes than any network has is refused", () => {
    expect(() => decodeModel(modelOf([Buffer.alloc(400_002, Uint8Array.of(0x0a, 0x00))]))).toThrow(
      invalid(/more than 200000 nodes/),
    );
  });

  test("of a tensor in hundreds of thousands of pieces is read once", () => {
    const tensor = [
      field(8, "w"),
      Uint8Array.of(0x08, 0, 0x10, 1),
      Buffer.alloc(800_000, Uint8Array.of(0x22, 0)),
    ];
    const graph = decodeModel(modelOf([field(5, ...tensor)]));
    expect(graph.initializers.get("w")?.shape).toEqual([0]);
  });

  test("of lists of numbers that take eight times the bytes in memory is refused", () => {
    const numbers = field(8, Buffer.alloc(33_600_000, 1));
    const attribute = field(5, field(1, "a"), numbers, Uint8Array.of(0xa0, 0x01, 7));
    expect(() => decodeModel(modelOf([field(1, field(4, "Op"), attribute)]))).toThrow(
      invalid(/lists more than 33554432 numbers/),
    );
  });

  test("with a name of two kibibytes, or a value of a hundred axes, is refused", () => {
    expect(() => decodeModel(modelOf([nodeOf(1, "A", [], ["y"], "n".repeat(2048))]))).toThrow(
      invalid(/a name has 2048 bytes/),
    );
    const w: Initializer = {
      name: "w",
      type: "int64",
      shape: Array(100).fill(1),
      storage: { kind: "inline", bytes: new Uint8Array(8) },
    };
    const graph: Graph = { ...new GraphBuilder().build(), initializers: new Map([["w", w]]) };
    expect(() => decodeModel(encodeModel(graph))).toThrow(invalid(/"w" has 100 axes/));
  });

  test("that names one stretch of a file thousands of times reads it a few times", async () => {
    await withFolder(async (folder) => {
      const handle = await open(join(folder, "weights"), "w");
      await handle.truncate(512 * 1024);
      await handle.close();
      const storage = { kind: "file", file: "weights", offset: 0, length: 512 * 1024 } as const;
      const all = Array.from({ length: 400 }, (_, index): [string, Initializer] => [
        `w${index}`,
        { name: `w${index}`, type: "int64", shape: [65_536], storage },
      ]);
      const graph: Graph = { ...new GraphBuilder().build(), initializers: new Map(all) };
      await writeFile(join(folder, "model.onnx"), encodeModel(graph));
      const read = readModelFile("model.onnx", (file) => ({ stored: file, path: join(folder, file) }));
      const inline = [...read.graph.initializers.values()].filter((each) => each.storage.kind === "inline");
      expect(inline).toHaveLength(128);
    });
  });
});

describe("calls of a model's own functions", () => {
  const functions = chainOf("F", ["a", "b", "c"]);

  test("are written out under short names that no two calls share", () => {
    const long = "c".repeat(1000);
    const calls = [
      nodeOf(1, "F", ["in"], ["mid"], long, "d"),
      nodeOf(1, "F", ["mid"], ["out"], `${long}2`, "d"),
    ];
    const graph = decodeModel(modelOf([...calls, described(11, "in"), described(12, "out")], functions));
    expect(graph.nodes.map(({ op }) => op)).toEqual(Array(6).fill("Exp"));
    const names = graph.nodes.flatMap((node) => [node.name, ...node.outputs]);
    expect(new Set(names).size).toBe(12);
    expect(Math.max(...names.map((name) => name.length))).toBeLessThan(20);
    expect(graph.nodes[3].inputs).toEqual(["mid"]);
  });

  test("within calls keep values apart", () => {
    const outer = field(
      25,
      field(1, "G"),
      field(4, "x"),
      field(5, "z"),
      nodeOf(7, "F", ["x"], ["y"], "first", "d"),
      nodeOf(7, "F", ["y"], ["z"], "second", "d"),
      field(10, "d"),
    );
    const call = nodeOf(1, "G", ["in"], ["out"], "call", "d");
    const { nodes } = decodeModel(
      modelOf([call, described(11, "in"), described(12, "out")], functions, outer),
    );
    const follows = (node: Node, index: number) =>
      index === 0 || node.inputs[0] === nodes[index - 1].outputs[0];
    expect(nodes).toHaveLength(6);
    expect(nodes.every(follows)).toBe(true);
  });

  test("that take a million values again and again are refused", () => {
    const inputs = Array.from({ length: 5000 }, (_, index) => field(4, `x${index}`));
    const wide = field(25, field(1, "W"), ...inputs, field(10, "d"));
    const calls = Array(1000).fill(nodeOf(1, "W", [], [], "", "d"));
    expect(() => decodeModel(modelOf(calls, wide))).toThrow(invalid(/too many inputs/));
  });
});

test("a graph's constants have an end, and so have a value's axes", () => {
  const g = new GraphBuilder();
  const million = float32([2 ** 20]);
  expect(() => {
    for (let count = 0; count < 65; count += 1) g.constant(million);
  }).toThrow(invalid(/constants of a graph/));
  expect(() => g.input("x", Array(33).fill(1))).toThrow(invalid(/33 axes/));
});
