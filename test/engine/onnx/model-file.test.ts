import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "@jest/globals";
import { memorySource, readBytes } from "../../../src/engine/onnx/byte-source.ts";
import { encodeModel } from "../../../src/engine/onnx/codec.ts";
import { decodeSource } from "../../../src/engine/onnx/decode.ts";
import type { Graph, Initializer } from "../../../src/engine/onnx/graph.ts";
import { readModelFile } from "../../../src/engine/onnx/model-file.ts";
import { AppError } from "../../../src/errors.ts";
import { withFolder } from "../clip/fixtures.ts";
import { uniform } from "../support/random.ts";

const EXPORTS = join(__dirname, "../../fixtures/onnx-exports");

const within = (folder: string) => (file: string) => ({ stored: `sub/${file}`, path: join(folder, file) });

/** A model that is nothing but constants. */
function holding(...constants: Initializer[]): Graph {
  return {
    name: "constants",
    opset: 18,
    inputs: [],
    outputs: [],
    nodes: [],
    initializers: new Map(constants.map((each) => [each.name, each])),
    values: new Map(),
  };
}

function stored(name: string, file: string, offset: number, elements: number): Initializer {
  const storage = { kind: "file", file, offset, length: 4 * elements } as const;
  return { name, type: "float32", shape: [elements], storage };
}

describe("an ONNX file", () => {
  test("of 600 MB is read without its weights", async () => {
    await withFolder(async (folder) => {
      const length = 600_000_000;
      const tensor = new BinaryWriter().uint32(8).uint32(length / 4);
      const head = tensor.uint32(16).uint32(1).tag(8, WireType.LengthDelimited).string("weight").finish();
      const raw = new BinaryWriter().tag(9, WireType.LengthDelimited).uint32(length).finish();
      const graph = new BinaryWriter()
        .tag(5, WireType.LengthDelimited)
        .uint32(head.length + raw.length + length)
        .finish();
      const opset = [0x42, 0x02, 0x10, 18];
      const model = new BinaryWriter()
        .tag(7, WireType.LengthDelimited)
        .uint32(graph.length + head.length + raw.length + length)
        .finish();
      const start = Buffer.concat([Buffer.from(opset), model, graph, head, raw]);
      const handle = await open(join(folder, "model.onnx"), "w");
      await handle.write(start);
      // The weights are a hole.
      await handle.truncate(start.length + length);
      await handle.close();
      const before = process.memoryUsage().arrayBuffers;
      const read = readModelFile("model.onnx", within(folder));
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
      expect(read.graph.initializers.get("weight")?.storage).toEqual({
        kind: "file",
        file: "sub/model.onnx",
        offset: start.length,
        length,
      });
    });
  });

  test("has weights beyond 4 GiB in another file, and small numbers of it are read", async () => {
    await withFolder(async (folder) => {
      const far = 5 * 2 ** 30;
      const handle = await open(join(folder, "weights"), "w");
      await handle.write(Buffer.from(Float32Array.of(1.5, -2).buffer), 0, 8, far);
      await handle.truncate(far + 4096);
      await handle.close();
      await writeFile(
        join(folder, "model.onnx"),
        encodeModel(holding(stored("few", "weights", far, 2), stored("many", "./weights", far + 8, 1000))),
      );
      const { graph, files } = readModelFile("model.onnx", within(folder));
      expect(files).toEqual(["model.onnx", "weights"]);
      const few = graph.initializers.get("few")?.storage;
      expect(few?.kind === "inline" && Array.from(new Float32Array(few.bytes.slice().buffer))).toEqual([
        1.5, -2,
      ]);
      const many = { kind: "file", file: "sub/weights", offset: far + 8, length: 4000 };
      expect(graph.initializers.get("many")?.storage).toEqual(many);
    });
  });

  test("in a folder names its weights from there", async () => {
    await withFolder(async (folder) => {
      await mkdir(join(folder, "onnx"));
      await writeFile(join(folder, "onnx/weights"), Buffer.alloc(8000));
      await writeFile(join(folder, "onnx/model.onnx"), encodeModel(holding(stored("w", "weights", 0, 2000))));
      const { graph } = readModelFile("onnx/model.onnx", within(folder));
      expect(graph.initializers.get("w")?.storage).toMatchObject({ file: "sub/onnx/weights" });
    });
  });

  test("whose weights are cut off is an invalid checkpoint that names them", async () => {
    await withFolder(async (folder) => {
      await writeFile(join(folder, "weights"), Buffer.alloc(100));
      await writeFile(join(folder, "model.onnx"), encodeModel(holding(stored("w", "weights", 50, 2000))));
      expect(() => readModelFile("model.onnx", within(folder))).toThrow(
        expect.objectContaining({
          code: "INVALID_CHECKPOINT",
          details: { file: "sub/weights", tensor: "w" },
        }),
      );
    });
  });

  test.each(["both-11/onnx/model.onnx", "both-18-dynamo/model.onnx"])(
    "%s is refused where it ends too early, and understood or refused where it is damaged",
    async (file) => {
      const bytes = await readFile(join(EXPORTS, file));
      const decode = (damaged: Uint8Array) => {
        // From memory, but like a file: read in pieces, weights skipped.
        const { memory: _, ...source } = memorySource(damaged);
        const weights = { length: 1e9, fill: (target: Uint8Array) => target.fill(0).length };
        return decodeSource(source, { file, source, external: () => ({ file: "weights", source: weights }) });
      };
      expect(decode(bytes).nodes.length).toBeGreaterThan(100);
      for (let length = 0; length < bytes.length; length += 997)
        expect(() => decode(bytes.subarray(0, length))).toThrow(
          expect.objectContaining({ code: "INVALID_GRAPH" }),
        );
      const random = uniform(5);
      for (let round = 0; round < 150; round += 1) {
        const damaged = Uint8Array.from(bytes);
        for (let hit = 0; hit < 4; hit += 1)
          damaged[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
        try {
          decode(damaged);
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
        }
      }
    },
  );

  test("of nothing but tags, or of messages within messages, is refused before it fills the memory", () => {
    const tags = memorySource(Buffer.alloc(9_000_000, Buffer.from([0x08, 0x01])));
    const files = { file: "", source: tags, external: () => ({ file: "", source: undefined }) };
    expect(() => decodeSource(tags, files)).toThrow(/more than 4000000 fields/);
    let nested: Uint8Array = new Uint8Array();
    // A graph's node's attribute's graph, and so on.
    for (let depth = 0; depth < 60; depth += 1)
      for (const field of [6, 5, 1])
        nested = new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(nested).finish();
    const model = new BinaryWriter().tag(7, WireType.LengthDelimited).bytes(nested).finish();
    const source = memorySource(model);
    expect(() => decodeSource(source, { ...files, source })).toThrow(/nested 100 deep/);
  });

  test("is read in copies that stay as they are", () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const copy = readBytes(memorySource(bytes), 1, 2);
    bytes.fill(9);
    expect(copy).toEqual(Uint8Array.of(2, 3));
    expect(() => readBytes(memorySource(bytes), 2, 2)).toThrow("it ends too early");
  });
});
