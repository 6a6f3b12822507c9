import { describe, expect, test } from "@jest/globals";
import { AppError } from "../../../src/errors.ts";
import { zip } from "../../support/zip.ts";
import { legacyFile, malicious, readBytes, wrapped, zipEntries } from "./fixtures.ts";

describe("the corpus of malicious pickles is refused, and told by name", () => {
  const cases = malicious.flatMap((row) => row.layouts.map((layout) => ({ ...row, layout })));

  test.each(cases)("$name ($layout)", async ({ pickle, layout, code, names }) => {
    const error = await refusal(wrapped(pickle, layout));
    expect(error).toMatchObject({ code, message: expect.stringContaining(names) });
    expect(error.message).toMatch(/byte|nested|shared|contains itself|value|storage/);
    expect(error.message).toMatch(/^[^\p{Cc}]{20,1000}$/u);
  });

  test("it is large, and most of it is unsafe rather than broken", () => {
    expect(cases.length).toBeGreaterThan(380);
    expect(cases.filter(({ code }) => code === "UNSAFE_ARTIFACT").length).toBeGreaterThan(300);
  });
});

test("a refusal has the global, the opcode and the byte as facts", async () => {
  const pickle = Buffer.from("\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.", "latin1");
  expect((await refusal(zip(zipEntries(pickle)))).details).toEqual({
    file: "model.pt",
    entry: "archive/data.pkl",
    opcode: "GLOBAL",
    position: 2,
    global: "posix.system",
  });
});

test("a gadget in any part of a legacy file is refused", async () => {
  const gadget = Buffer.from("\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.", "latin1");
  const plain = Buffer.from("\x80\x02N.", "latin1");
  const file = legacyFile(plain);
  expect((await readBytes(file)).root).toBeNull();
  const starts = [...file.keys()].filter((at) => file[at] === 0x80 && file[at + 1] === 2);
  expect(starts).toHaveLength(5);
  for (const start of starts) {
    const error = await refusal(Buffer.concat([file.subarray(0, start), gadget, file.subarray(start)]));
    expect(error).toMatchObject({
      code: "UNSAFE_ARTIFACT",
      details: { global: "posix.system", position: start + 2 },
    });
  }
});

async function refusal(bytes: Uint8Array): Promise<AppError> {
  const outcome = await readBytes(bytes).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(AppError);
  return outcome as AppError;
}
