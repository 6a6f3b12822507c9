import { readFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "@jest/globals";
import { readPytorchFile } from "../../../src/engine/pickle/pytorch-file.ts";
import { type ZipEntry, zip } from "../../support/zip.ts";
import { BENIGN, readBytes, tensorsOf, zipEntries } from "./fixtures.ts";

const NONE = Buffer.from("\x80\x02N.", "latin1");
const TENSOR = Buffer.from(
  "\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" +
    "0X\x03\0\0\0cpuK\x04tQK\0K\x04\x85K\x01\x85\x89}tR.",
  "latin1",
);
const LOCAL = "PK\x03\x04";
const CENTRAL = "PK\x01\x02";
const entries = (pickle = TENSOR): ZipEntry[] => zipEntries(pickle);
const torch = readFileSync(join(BENIGN, "zip-2.pt"));

test("an archive of plain entries is read", async () => {
  const { root } = await readBytes(zip(entries()));
  expect(root).toMatchObject({ kind: "tensor", shape: [4], length: 16 });
});

test("entries that nobody needs may be there", async () => {
  const more = { name: "archive/.data/serialization_id", bytes: Buffer.from("1234") };
  await expect(readBytes(zip([...entries(NONE), more]))).resolves.toMatchObject({ root: null });
});

describe("a zip that two readers could read in two ways is refused", () => {
  const unsafe = "UNSAFE_ARTIFACT";
  const invalid = "INVALID_CHECKPOINT";
  const cases: [string, () => Buffer, string, string][] = [
    [
      "a path that leaves it",
      () => zip([...entries(), entry("archive/../../x")]),
      unsafe,
      "leaves the archive",
    ],
    ["an absolute path", () => zip([...entries(), entry("/etc/x")]), unsafe, "absolute"],
    ["a path with a drive", () => zip([...entries(), entry("C:/x")]), unsafe, "absolute"],
    ["a path with a backslash", () => zip([...entries(), entry("archive\\x")]), unsafe, "backslash"],
    ["a path with a NUL", () => zip([...entries(), entry("archive/data.pkl\0x")]), unsafe, "NUL"],
    ["an entry beside the folder", () => zip([...entries(), entry("other/x")]), unsafe, "lies beside"],
    ["a second data.pkl", () => zip([...entries(), entry("archive/code/data.pkl")]), unsafe, "two pickles"],
    ["a second archive", () => zip([...entries(), entry("other/data.pkl")]), unsafe, "two pickles"],
    ["a name twice", () => zip([...entries(), entry("archive/data/0")]), unsafe, "two entries"],
    ["no data.pkl", () => zip([entry("archive/x")]), invalid, "no data.pkl"],
    ["a data.pkl at the top", () => zip([{ name: "data.pkl", bytes: NONE }]), invalid, "no data.pkl"],
    ["nothing", () => zip([]), invalid, "no PyTorch file"],
    [
      "a storage of another size",
      () => zip(changed("archive/data/0", Buffer.alloc(17))),
      invalid,
      "17 bytes",
    ],
    ["big-endian tensors", () => zip(changed("archive/byteorder", Buffer.from("big"))), invalid, "big"],
    ["bytes before it", () => Buffer.concat([Buffer.from("x"), zip(entries())]), invalid, "no PyTorch file"],
    ["a pickle before it", () => Buffer.concat([NONE, zip(entries())]), invalid, "not one of torch.save"],
    ["a zip before it", () => Buffer.concat([zip(entries(NONE)), zip(entries())]), unsafe, "does not lie"],
    ["bytes after it", () => Buffer.concat([zip(entries()), Buffer.from("x")]), invalid, "does not end"],
    [
      "a comment",
      () => Buffer.concat([patch(zip(entries()), "PK\x05\x06", 20, 5), Buffer.from("hello")]),
      invalid,
      "does not end",
    ],
    ["a truncated file", () => zip(entries()).subarray(0, -30), invalid, "does not end"],
    ["another name in the local header", () => patch(zip(entries()), LOCAL, 30, 0x42), unsafe, "two ways"],
    ["another size in the local header", () => patch(zip(entries()), LOCAL, 18, 0x42), unsafe, "two ways"],
    ["another method in the local header", () => patch(zip(entries()), LOCAL, 8, 8), unsafe, "two ways"],
    ["other flags in the local header", () => patch(zip(entries()), LOCAL, 6, 8), unsafe, "two ways"],
    ["no local header", () => patch(zip(entries()), LOCAL, 2, 0x42, 1), unsafe, "two ways"],
    ["a longer name in the local header", () => patch(zip(entries()), LOCAL, 26, 0x42), unsafe, "two ways"],
    ["a hole behind an extra field", () => patch(zip(entries()), LOCAL, 28, 4), unsafe, "overlaps"],
    ["an entry that starts in another", () => patch(zip(entries()), CENTRAL, 42, 5, 1), unsafe, "two ways"],
    ["an entry that starts outside", () => patch(zip(entries()), CENTRAL, 45, 0x7f), unsafe, "outside"],
    ["an entry that is encrypted", () => patch(zip(entries()), CENTRAL, 8, 1), unsafe, "encrypted"],
    ["an entry of a strange method", () => patch(zip(entries()), CENTRAL, 10, 99), unsafe, "method 99"],
    ["two sizes of one entry", () => patch(zip(entries()), CENTRAL, 24, 0x42), unsafe, "two sizes"],
    ["an entry on another disk", () => patch(zip(entries()), CENTRAL, 34, 1), invalid, "parts"],
    [
      "fewer entries than there are",
      () => patch(patch(zip(entries()), "PK\x05\x06", 8, 3), "PK\x05\x06", 10, 3),
      unsafe,
      "more than it says",
    ],
    [
      "more entries than there are",
      () => patch(patch(zip(entries()), "PK\x05\x06", 8, 5), "PK\x05\x06", 10, 5),
      invalid,
      "ends at byte",
    ],
    ["a directory elsewhere", () => patch(zip(entries()), "PK\x05\x06", 16, 1), unsafe, "does not lie"],
    ["entries with a gap between them", () => withGap(zip(entries())), unsafe, "belong to nothing"],
    ["a directory with a gap before it", () => withGap(zip(entries()), true), unsafe, "belong to nothing"],
    ["a 64-bit end elsewhere", () => patch(torch, "PK\x06\x07", 8, 1), unsafe, "64-bit end"],
    ["two ends that disagree", () => patch(torch, "PK\x05\x06", 16, 1), unsafe, "different directories"],
    [
      "a 64-bit end of another count",
      () => patch(torch, "PK\x06\x06", 24, 1),
      unsafe,
      "different directories",
    ],
    ["compressed tensors", () => compressed("archive/data/0"), unsafe, "compressed"],
    ["a compressed pickle", () => compressed("archive/data.pkl"), unsafe, "compressed"],
  ];

  test.each(cases)("%s", async (_, bytes, code, names) => {
    await expect(readBytes(bytes())).rejects.toMatchObject({ code, message: expect.stringContaining(names) });
  });
});

test("a compressed entry that is never opened may be there, as TorchScript's code is", async () => {
  const archive = compressed("archive/version");
  await expect(readBytes(archive)).resolves.toMatchObject({ root: { shape: [4] } });
});

test.each([
  ["no file", undefined, "cannot be opened"],
  ["an empty file", Buffer.alloc(0), "no PyTorch file"],
  ["a text", Buffer.from("hello"), "no PyTorch file"],
  ["a file of three bytes", Buffer.from("PK\x03"), "no PyTorch file"],
  ["the start of a zip", Buffer.from("PK\x03\x04"), "does not end"],
])("%s is invalid", async (_, bytes, names) => {
  const reading = bytes ? readBytes(bytes) : readPytorchFile(join(BENIGN, "missing.pt"));
  await expect(reading).rejects.toMatchObject({
    code: "INVALID_CHECKPOINT",
    message: expect.stringContaining(names),
  });
});

test("a file of which any part is cut off is refused", async () => {
  const legacy = readFileSync(join(BENIGN, "legacy-2.pt"));
  for (const file of [torch, legacy]) {
    for (let length = 0; length < file.length; length += 97) {
      await expect(readBytes(file.subarray(0, length))).rejects.toHaveProperty("code", "INVALID_CHECKPOINT");
    }
  }
  expect(Object.keys(tensorsOf((await readBytes(torch)).root))).toHaveLength(16);
});

const entry = (name: string): ZipEntry => ({ name, bytes: Buffer.from("x") });

const changed = (name: string, bytes: Uint8Array): ZipEntry[] =>
  entries().map((item) => (item.name === name ? { name, bytes } : item));

/** A copy with one byte changed, `offset` bytes after the `occurrence`-th place of a signature. */
function patch(archive: Buffer, signature: string, offset: number, value: number, occurrence = 0): Buffer {
  const copy = Buffer.from(archive);
  let at = copy.indexOf(signature, 0, "latin1");
  for (let skipped = 0; skipped < occurrence; skipped++) at = copy.indexOf(signature, at + 1, "latin1");
  copy[at + offset] = value;
  return copy;
}

/** The archive with four bytes that belong to nothing, behind its first entry or before its directory. */
function withGap(archive: Buffer, last = false): Buffer {
  const directory = archive.indexOf(CENTRAL, 0, "latin1");
  const end = archive.indexOf("PK\x05\x06", 0, "latin1");
  const gap = last ? directory : archive.indexOf(LOCAL, 4, "latin1");
  const copy = Buffer.concat([archive.subarray(0, gap), Buffer.from("evil"), archive.subarray(gap)]);
  copy.writeUInt32LE(directory + 4, end + 4 + 16);
  for (let at = directory + 4; at >= 0 && at < end; at = copy.indexOf(CENTRAL, at + 1, "latin1")) {
    const header = copy.readUInt32LE(at + 42);
    if (header >= gap) copy.writeUInt32LE(header + 4, at + 42);
  }
  return copy;
}

/** The archive with one entry deflated, as both places say. */
function compressed(name: string): Buffer {
  const list = entries();
  const index = list.findIndex((item) => item.name === name);
  const original = list[index].bytes.length;
  const archive = zip(
    list.map((item) => (item.name === name ? { name, bytes: deflateRawSync(item.bytes) } : item)),
  );
  const sized = (copy: Buffer, signature: string, method: number, size: number): Buffer =>
    patch(patch(copy, signature, method, 8, index), signature, size, original, index);
  return sized(sized(archive, LOCAL, 8, 22), CENTRAL, 10, 24);
}
