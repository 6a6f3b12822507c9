import { gzipSync } from "node:zlib";
import { describe, expect, test } from "@jest/globals";
import { pack } from "tar-stream";
import { readArchive } from "../../src/services/archives.ts";
import { zip } from "../support/zip.ts";

interface Item {
  readonly name: string;
  readonly bytes: Buffer;
  readonly link?: boolean;
}

const LIMITS = { bytes: 1_000_000, entries: 20 };
const item = (name: string, text = name): Item => ({ name, bytes: Buffer.from(text) });
const link = (name: string): Item => ({ name, bytes: Buffer.from("/etc/passwd"), link: true });

async function tar(items: readonly Item[]): Promise<Buffer> {
  const packer = pack();
  for (const { name, bytes, link: isLink } of items) {
    if (isLink) packer.entry({ name, type: "symlink", linkname: bytes.toString() });
    else if (name.endsWith("/")) packer.entry({ name, type: "directory" });
    else packer.entry({ name }, bytes);
  }
  packer.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of packer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const formats: [string, (items: readonly Item[]) => Promise<Buffer>][] = [
  [".tar", tar],
  [".tar.gz", async (items) => gzipSync(await tar(items))],
  [
    ".zip",
    async (items) =>
      zip(items.map(({ name, bytes, link }) => ({ name, bytes, mode: link ? 0o120777 : undefined }))),
  ],
];

describe.each(formats)("a %s", (_name, archive) => {
  test("gives its files with the folder that each is in", async () => {
    const items = [item("set/"), item("set/cat/1.png"), item("./dog/2.png"), item("top.png")];
    const files = await readArchive(await archive(items), LIMITS);
    expect(files.map(({ path, folder, bytes }) => [path, folder, Buffer.from(bytes).toString()])).toEqual([
      ["set/cat/1.png", "cat", "set/cat/1.png"],
      ["dog/2.png", "dog", "./dog/2.png"],
      ["top.png", "", "top.png"],
    ]);
  });

  test("is read without its hidden and system files", async () => {
    const items = [
      item("cat/.DS_Store"),
      item("__MACOSX/cat/._1.png"),
      item(".git/config"),
      item("cat/1.png"),
    ];
    expect((await readArchive(await archive(items), LIMITS)).map(({ path }) => path)).toEqual(["cat/1.png"]);
  });

  test.each([
    ["leaves the archive", item("cat/../../etc/passwd")],
    ["is absolute", item("/etc/passwd")],
    ["has a drive", item("C:/windows/x.png")],
    ["has backslashes", item("cat\\..\\..\\x.png")],
    ["is a link", link("cat/1.png")],
  ])("is refused when a path %s", async (_what, bad) => {
    const promise = readArchive(await archive([item("cat/0.png"), bad]), LIMITS);
    await expect(promise).rejects.toMatchObject({ code: "UNSAFE_ARTIFACT" });
  });

  test("is refused past the limits", async () => {
    const large = await archive([
      item("cat/0.png", "x".repeat(600_000)),
      item("cat/1.png", "y".repeat(600_000)),
    ]);
    await expect(readArchive(large, LIMITS)).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    const many = await archive(Array.from({ length: 21 }, (_, index) => item(`cat/${index}.png`)));
    await expect(readArchive(many, LIMITS)).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
  });

  test("that is cut off anywhere, or changed, is told to be damaged or gives fewer files", async () => {
    const whole = await archive([item("cat/0.png"), item("dog/1.png")]);
    for (let length = 0; length < whole.length; length += Math.ceil(whole.length / 40)) {
      const outcome = await readArchive(whole.subarray(0, length), LIMITS).catch((error) => error);
      if (!Array.isArray(outcome)) expect(["BAD_USER_INPUT", "UNSAFE_ARTIFACT"]).toContain(outcome.code);
    }
  });
});

describe("a bomb", () => {
  test("of gzip is noticed while it unpacks", async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000));
    expect(bomb.length).toBeLessThan(300_000);
    await expect(readArchive(bomb, LIMITS)).rejects.toMatchObject({
      code: expect.stringMatching(/PAYLOAD_TOO_LARGE|BAD_USER_INPUT/),
    });
  });

  test("of zip that lies about its size is refused", async () => {
    const bytes = Buffer.alloc(2_000_000);
    const small = zip([{ name: "cat/0.png", bytes, claimedSize: 10 }]);
    const outcome = await readArchive(small, LIMITS).catch((error) => error);
    // Stored bytes are read by the claimed size; the rest is never looked at.
    if (Array.isArray(outcome)) expect(outcome[0].bytes.length).toBe(10);
    else expect(outcome.code).toBe("BAD_USER_INPUT");
  });
});

test("what is no archive is told so", async () => {
  await expect(readArchive(Buffer.from("hello"), LIMITS)).rejects.toMatchObject({ code: "BAD_USER_INPUT" });
});
