import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { interpret } from "../../../src/engine/pickle/machine.ts";
import { readPytorchFile } from "../../../src/engine/pickle/pytorch-file.ts";
import { plainTree } from "../../../src/engine/pickle/tree.ts";
import { type Random, randomStream } from "../../../src/engine/random.ts";
import { AppError } from "../../../src/errors.ts";
import { BENIGN, benignFiles, malicious } from "./fixtures.ts";

const REFUSALS = ["UNSAFE_ARTIFACT", "INVALID_CHECKPOINT"];

test("files with flipped, inserted and lost bytes are read or refused, never more", async () => {
  const folder = await mkdtemp(join(tmpdir(), "antidote-"));
  const outcomes = { read: 0, refused: 0 };
  try {
    for (const file of benignFiles) {
      const random = randomStream(1, "files", file);
      const bytes = readFileSync(join(BENIGN, file));
      for (let round = 0; round < 100; round++) {
        await writeFile(join(folder, file), mutated(bytes, random));
        const error = await readPytorchFile(join(folder, file)).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        count(outcomes, error);
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  expect(outcomes.read).toBeGreaterThan(50);
  expect(outcomes.refused).toBeGreaterThan(500);
});

test("streams of opcodes, mutated and spliced, are read or refused, never more", () => {
  const streams = malicious.map(({ pickle }) => pickle).filter(({ length }) => length < 4000);
  const random = randomStream(2, "streams");
  const outcomes = { read: 0, refused: 0 };
  for (let round = 0; round < 6000; round++) {
    const [first, second] = [streams[random.below(streams.length)], streams[random.below(streams.length)]];
    const spliced = Buffer.concat([
      first.subarray(0, random.below(first.length + 1)),
      second.subarray(random.below(second.length)),
    ]);
    count(
      outcomes,
      thrown(() => read(random.below(2) ? spliced : mutated(first, random))),
    );
  }
  expect(outcomes.read).toBeGreaterThan(20);
  expect(outcomes.refused).toBeGreaterThan(4000);
});

function read(bytes: Uint8Array): void {
  const place = { file: "model.pt" };
  plainTree(interpret(bytes, place).value, place, () => 0);
}

function thrown(act: () => void): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Anything but a typed refusal fails the test with the error itself. */
function count(outcomes: { read: number; refused: number }, error: unknown): void {
  if (error === undefined) outcomes.read++;
  else if (error instanceof AppError && REFUSALS.includes(error.code)) outcomes.refused++;
  else throw error;
}

/** One to four changes: a bit, a byte, a byte of an opcode more, a few bytes fewer. */
function mutated(bytes: Uint8Array, random: Random): Buffer {
  let result = Buffer.from(bytes);
  for (let change = random.below(4); change >= 0 && result.length > 0; change--) {
    const at = random.below(result.length);
    const kind = random.below(4);
    if (kind === 0) result[at] ^= 1 << random.below(8);
    else if (kind === 1) result[at] = random.below(256);
    else if (kind === 2) {
      const opcode = "()]}0abcdehijloqrstuQRNKX\x81\x85\x86\x93\x94."[random.below(31)];
      result = Buffer.concat([result.subarray(0, at), Buffer.from(opcode, "latin1"), result.subarray(at)]);
    } else result = Buffer.concat([result.subarray(0, at), result.subarray(at + 1 + random.below(4))]);
  }
  return result;
}
