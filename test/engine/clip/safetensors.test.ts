import { readFileSync } from "node:fs";
import { open, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import {
  encodeSafetensors,
  looksLikeSafetensors,
  readFloats,
  readRange,
  readSafetensors,
} from "../../../src/engine/clip/safetensors.ts";
import { looksLikePytorch } from "../../../src/engine/pickle/index.ts";
import { withFolder } from "./fixtures.ts";

const FLOATS = { name: "floats", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
const WHOLE = { name: "whole", shape: [2], data: BigInt64Array.of(7n, -8n) };

test("what is written is read again", async () => {
  await withFile(encodeSafetensors([FLOATS, WHOLE], { made: "by a test" }), async (path) => {
    const file = await readSafetensors(path);
    expect(file.metadata).toEqual({ made: "by a test" });
    expect([...file.tensors.keys()]).toEqual(["floats", "whole"]);
    expect(file.tensors.get("floats")).toMatchObject({ dtype: "F32", shape: [2, 3], length: 24 });
    expect(await readFloats(file, "floats")).toEqual(FLOATS.data);
    const { offset, length } = file.tensors.get("whole")!;
    expect(new BigInt64Array((await readRange(path, offset, length)).buffer)).toEqual(WHOLE.data);
  });
});

test("the same tensors give the same bytes, the first at a multiple of eight", async () => {
  const bytes = encodeSafetensors([FLOATS]);
  expect(encodeSafetensors([FLOATS])).toEqual(bytes);
  expect((bytes.length - FLOATS.data.byteLength) % 8).toBe(0);
});

test("a file is known by its beginning, also where the header's length begins like a pickle", () => {
  const withHeader = (length: number) => {
    const header = Buffer.from("{}".padEnd(length));
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(BigInt(length));
    return Buffer.concat([start, header]);
  };
  const file = withHeader(0x280);
  expect([...file.subarray(0, 2)]).toEqual([0x80, 2]);
  expect(looksLikePytorch(file)).toBe(true);
  expect(looksLikeSafetensors(file)).toBe(true);
  expect(looksLikeSafetensors(file.subarray(0, 0x280))).toBe(false);
  expect(looksLikeSafetensors(file.subarray(0, 8))).toBe(false);
  const pickle = readFileSync(join(__dirname, "../../fixtures/coop/class-wise-legacy.pth.tar"));
  expect(looksLikeSafetensors(pickle)).toBe(false);
});

test("values of 16 and 64 bits are read as float32", async () => {
  // 1.5, −0.25, the smallest subnormal, infinity in binary16; 1.5 and −0.25 in bfloat16.
  const halves = Uint16Array.of(0x3e00, 0xb400, 0x0001, 0x7c00, 0x3fc0, 0xbe80);
  const doubles = Float64Array.of(0.1);
  const header = {
    half: { dtype: "F16", shape: [4], data_offsets: [0, 8] },
    brain: { dtype: "BF16", shape: [2], data_offsets: [8, 12] },
    double: { dtype: "F64", shape: [], data_offsets: [12, 20] },
  };
  await withFile(
    assemble(JSON.stringify(header), Buffer.concat([bytesOf(halves), bytesOf(doubles)])),
    async (path) => {
      const file = await readSafetensors(path);
      expect(await readFloats(file, "half")).toEqual(
        Float32Array.of(1.5, -0.25, 2 ** -24, Number.POSITIVE_INFINITY),
      );
      expect(await readFloats(file, "brain")).toEqual(Float32Array.of(1.5, -0.25));
      expect(await readFloats(file, "double")).toEqual(Float32Array.of(0.1));
    },
  );
});

test("tensors beyond 2 GiB are found and read", async () => {
  const far = 3 * 2 ** 30;
  const header = {
    huge: { dtype: "U8", shape: [far], data_offsets: [0, far] },
    last: { dtype: "F32", shape: [2], data_offsets: [far, far + 8] },
  };
  // A sparse file: it takes no room on the disk.
  await withFile(assemble(JSON.stringify(header), new Uint8Array(0)), async (path) => {
    const handle = await open(path, "r+");
    const end = (await handle.stat()).size + far;
    await truncate(path, end);
    await handle.write(bytesOf(Float32Array.of(2.5, -1)), 0, 8, end);
    await handle.close();
    const file = await readSafetensors(path);
    expect(await readFloats(file, "last")).toEqual(Float32Array.of(2.5, -1));
  });
});

describe("damaged files", () => {
  const one = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
  const eight = Buffer.alloc(8);
  const cases: [string, Uint8Array, RegExp][] = [
    ["nothing", new Uint8Array(0), /0 bytes/],
    ["seven bytes", new Uint8Array(7), /7 bytes/],
    ["a header beyond the end", assemble("{}", new Uint8Array(0), 500n), /header of 500.*truncated/],
    [
      "a header of absurd length",
      assemble("{}", new Uint8Array(0), 1n << 62n),
      /claims a header of 4611686018427387904/,
    ],
    ["a header that is not UTF-8", assemble(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), eight), /not UTF-8/],
    ["a header that is not JSON", assemble("{garbage}", eight), /not JSON/],
    ["a header that is a list", assemble("[1]", eight), /not a JSON object/],
    ["a tensor without a description", header({ w: 3 }), /"w" is not described/],
    ["an unknown type", header({ w: { ...one, dtype: "F3" } }), /"w" has the unknown type "F3"/],
    ["a type from the prototype", header({ w: { ...one, dtype: "constructor" } }), /unknown type/],
    ["a negative size", header({ w: { ...one, shape: [-2] } }), /"w" has a shape/],
    ["a fractional size", header({ w: { ...one, shape: [0.5, 4] } }), /"w" has a shape/],
    ["sizes that overflow", header({ w: { ...one, shape: [2 ** 40, 2 ** 40] } }), /"w" has 8 bytes/],
    ["no offsets", header({ w: { dtype: "F32", shape: [2] } }), /no pair of offsets/],
    ["offsets in reverse", header({ w: { ...one, data_offsets: [8, 0] } }), /ends at 0 before/],
    [
      "a tensor beyond the end",
      header({ w: { ...one, shape: [4], data_offsets: [0, 16] } }),
      /"w".*truncated/,
    ],
    [
      "a shape that does not fit",
      header({ w: { ...one, shape: [3] } }),
      /"w" has 8 bytes, which is not F32 \[3\]/,
    ],
    [
      "tensors that overlap",
      header({ a: one, b: { ...one, shape: [1], data_offsets: [4, 8] } }),
      /"b" overlaps/,
    ],
    ["a gap", header({ w: { ...one, shape: [1], data_offsets: [4, 8] } }), /"w" leaves a gap/],
    [
      "bytes after the last tensor",
      header({ w: { ...one, shape: [1], data_offsets: [0, 4] } }),
      /4 bytes after/,
    ],
    ["metadata that is not text", header({ __metadata__: { a: 1 }, w: one }), /metadata/],
    [
      "a name that appears twice",
      assemble(`{"w":${JSON.stringify(one)},"w":${JSON.stringify(one)}}`, eight),
      /"w" twice/,
    ],
    [
      "a name that appears twice, once with escapes",
      assemble(`{"w":${JSON.stringify(one)},"\\u0077":${JSON.stringify(one)}}`, eight),
      /"w" twice/,
    ],
  ];

  test.each(cases)("%s", async (_, bytes, message) => {
    await withFile(bytes, async (path) => {
      await expect(readSafetensors(path)).rejects.toMatchObject({
        code: "INVALID_CHECKPOINT",
        message: expect.stringMatching(message),
        details: { file: "weights.safetensors" },
      });
    });
  });

  test("every truncation of a good file", async () => {
    const bytes = encodeSafetensors([FLOATS, WHOLE]);
    await withFolder(async (folder) => {
      const path = join(folder, "cut.safetensors");
      for (let length = 0; length < bytes.length; length++) {
        await writeFile(path, bytes.subarray(0, length));
        await expect(readSafetensors(path)).rejects.toMatchObject({ code: "INVALID_CHECKPOINT" });
      }
    });
  });

  test("a missing file", async () => {
    await expect(readSafetensors("/nowhere/weights.safetensors")).rejects.toMatchObject({
      code: "INVALID_CHECKPOINT",
    });
  });

  test("a very long name is read without strain", async () => {
    const name = "w".repeat(7_000_000);
    await withFile(encodeSafetensors([{ ...FLOATS, name }]), async (path) => {
      expect((await readSafetensors(path)).tensors.has(name)).toBe(true);
    });
  });

  function header(tensors: Record<string, unknown>): Uint8Array {
    return assemble(JSON.stringify(tensors), eight);
  }
});

function assemble(header: string | Buffer, data: Uint8Array, length?: bigint): Uint8Array {
  const text = Buffer.from(header);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(length ?? BigInt(text.length));
  return Buffer.concat([size, text, data]);
}

function bytesOf(array: ArrayBufferView): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}

async function withFile(bytes: Uint8Array, use: (path: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const path = join(folder, "weights.safetensors");
    await writeFile(path, bytes);
    await use(path);
  });
}
