import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { nearestWords, type WordMetric } from "../../../src/engine/cbpt/nearest-words.ts";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import {
  type TokenEmbeddings,
  tokenEmbeddings,
  tokenRows,
} from "../../../src/engine/clip/token-embeddings.ts";
import { randomStream } from "../../../src/engine/random.ts";
import type { Program } from "../../../src/engine/runtime/program.ts";
import { openSession } from "../../../src/engine/runtime/session.ts";

const open = (program: Program) => openSession(program, { device: "cpu", threads: 1 });

let checkpoint: Checkpoint;
let table: TokenEmbeddings;
beforeAll(async () => {
  checkpoint = await openCheckpoint(join(__dirname, "../../../zoo/models/scenes-badnet"));
  table = await tokenEmbeddings(checkpoint);
});

/** More than one run of the program, the last of them not full. */
function vectors(): Float32Array {
  const random = randomStream(3);
  return Float32Array.from({ length: 11 * table.width }, () => 0.02 * random.normal());
}

/** In float64, word by word. */
function expected(vector: Float32Array, metric: WordMetric): { word: string; distance: number }[] {
  const all = [...checkpoint.tokenizer.words()].map(([id, word]) => {
    let [product, own, other, apart] = [0, 0, 0, 0];
    table.row(id).forEach((value, index) => {
      product += value * vector[index];
      own += vector[index] ** 2;
      other += value ** 2;
      apart += (value - vector[index]) ** 2;
    });
    return { word, distance: metric === "COSINE" ? 1 - product / Math.sqrt(own * other) : Math.sqrt(apart) };
  });
  return all.sort((a, b) => a.distance - b.distance).slice(0, 4);
}

describe.each(["COSINE", "EUCLIDEAN"] as const)("the nearest words by %s", (metric) => {
  test("are those that a search through the whole table finds", async () => {
    const given = vectors();
    const found = await nearestWords(open, checkpoint, given, { metric, count: 4 });
    expect(found).toHaveLength(11);
    found.forEach((near, index) => {
      const own = given.subarray(index * table.width, (index + 1) * table.width);
      const best = expected(own, metric);
      expect(near.map(({ word }) => word)).toEqual(best.map(({ word }) => word));
      near.forEach(({ distance }, place) => {
        expect(distance).toBeCloseTo(best[place].distance, 4);
      });
    });
  });

  test("of a word's own vector begin with the word", async () => {
    const [, id] = checkpoint.tokenizer.encode("yellow");
    const [[first]] = await nearestWords(open, checkpoint, table.row(id).slice(), { metric, count: 1 });
    expect(first.word).toBe("yellow");
    expect(first.distance).toBeLessThan(1e-2);
  });
});

describe("rows of the table of token vectors", () => {
  test.each(["vit", "vit-16-bit", "hugging-face-sharded", "resnet"])(
    "are the table's own (%s)",
    async (name) => {
      const other = await openCheckpoint(join(__dirname, "../../fixtures/clip", name));
      const ids = [5, 0, other.architecture.text.vocabulary - 1];
      const [whole, some] = [await tokenEmbeddings(other), await tokenRows(other, ids)];
      for (const id of ids) expect(some.row(id)).toEqual(whole.row(id));
      expect(() => some.row(1)).toThrow("token 1 was not read");
    },
  );
});
