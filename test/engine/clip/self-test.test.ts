import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { readSafetensors } from "../../../src/engine/clip/safetensors.ts";
import { agrees, requirePassed, type SelfTest, selfTest } from "../../../src/engine/clip/self-test.ts";
import type { Program } from "../../../src/engine/runtime/program.ts";
import { openSession, type Session } from "../../../src/engine/runtime/session.ts";
import { FIXTURES, MODELS, withCopy } from "./fixtures.ts";

const WEIGHTS = "open_clip_model.safetensors";

const open = (program: Program) => openSession(program, { device: "cpu", threads: 1 });

const run = async (folder: string) => selfTest(open, await openCheckpoint(folder));

const failed = ({ checks }: SelfTest) => checks.filter(({ passed }) => !passed).map(({ name }) => name);

/** Writes the same bytes over a whole tensor. */
async function overwrite(folder: string, tensor: string, pattern: Uint8Array): Promise<void> {
  const { offset, length } = (await readSafetensors(join(folder, WEIGHTS))).tensors.get(tensor)!;
  const file = await openFile(join(folder, WEIGHTS), "r+");
  const bytes = Buffer.alloc(length, pattern);
  await file.write(bytes, 0, length, offset);
  await file.close();
}

const ZERO = Uint8Array.of(0);
const NOT_A_NUMBER = new Uint8Array(Float32Array.of(Number.NaN).buffer);

describe("a sound model", () => {
  test.each(MODELS)("%s passes every check, and answers the same again", async (model) => {
    const first = await run(join(FIXTURES, model));
    expect(failed(first)).toEqual([]);
    expect(first.passed).toBe(true);
    expect(first.checks).toHaveLength(10);
    expect(() => requirePassed(first, model)).not.toThrow();
    const again = await run(join(FIXTURES, model));
    expect(again.image).toEqual(first.image);
    expect(again.text).toEqual(first.text);
    expect(agrees(first, again)).toBe(true);
  });

  test("does not answer like another", async () => {
    const [first, second] = await Promise.all([run(join(FIXTURES, "vit")), run(join(FIXTURES, "resnet"))]);
    expect(first.image.digest).not.toBe(second.image.digest);
    expect(agrees(first, second)).toBe(false);
  });

  test("agrees with a recording that was rounded to the other side", async () => {
    const now = await run(join(FIXTURES, "vit"));
    const { first } = now.image;
    const nudged = (by: number) => ({
      ...now,
      image: { digest: "sha256:other", first: first.map((value) => value + by) },
    });
    expect(agrees(nudged(0.0005), now)).toBe(true);
    expect(agrees(nudged(0.05), now)).toBe(false);
  });
});

describe("a model that is not", () => {
  const cases: [string, string, Uint8Array, string[]][] = [
    [
      "images that are not numbers",
      "visual.conv1.weight",
      NOT_A_NUMBER,
      ["imageFinite", "imageNorm", "imageBatch", "imagesDiffer"],
    ],
    ["images without content", "visual.conv1.weight", ZERO, ["imagesDiffer"]],
    ["texts without content", "token_embedding.weight", ZERO, ["textsDiffer"]],
    [
      "texts without direction",
      "text_projection",
      ZERO,
      ["textFinite", "textNorm", "textBatch", "textPadding", "textsDiffer"],
    ],
  ];

  test.each(cases)("%s: fails with the checks' names", async (_, tensor, pattern, names) => {
    await withCopy("resnet", async (folder) => {
      await overwrite(folder, tensor, pattern);
      const result = await run(folder);
      expect(failed(result)).toEqual(names);
      expect(result.passed).toBe(false);
      expect(() => requirePassed(result, "resnet")).toThrow(
        expect.objectContaining({ code: "INVALID_CHECKPOINT", message: expect.stringContaining(names[0]) }),
      );
    });
  });

  test("whose answers leak within a batch is found out", async () => {
    const leaking = async (program: Program): Promise<Session> => {
      const session = await open(program);
      return { close: () => session.close(), run: async (feeds) => leak(await session.run(feeds)) };
    };
    const result = await selfTest(leaking, await openCheckpoint(join(FIXTURES, "vit")));
    expect(failed(result)).toEqual(["imageBatch", "textBatch"]);
  });
});

/** Adds a little of the last row to the first. */
function leak(outputs: Awaited<ReturnType<Session["run"]>>): Awaited<ReturnType<Session["run"]>> {
  const { embedding } = outputs;
  const [count, width] = embedding.shape as [number, number];
  if (count === 1) return outputs;
  const data = Float32Array.from(embedding.data as Float32Array);
  for (let index = 0; index < width; index++) data[index]! += 0.01 * data[(count - 1) * width + index]!;
  return { embedding: { ...embedding, data } };
}
