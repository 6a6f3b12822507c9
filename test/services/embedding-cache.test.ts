import { describe, expect, test } from "@jest/globals";
import { EmbeddingCache } from "../../src/services/embedding-cache.ts";

/** With what it takes beside it, 1256 bytes. */
const embedding = (value: number) => new Float32Array(250).fill(value);
const ENTRY = 1256;

describe("EmbeddingCache", () => {
  test("gives a tenant what it had before, and nothing of another's", () => {
    const cache = new EmbeddingCache(10 * ENTRY);
    cache.set("acme", "image", embedding(1));
    expect(cache.get("acme", "image")).toEqual(embedding(1));
    expect(cache.get("other", "image")).toBeUndefined();
    expect(cache.get("acme", "another")).toBeUndefined();
  });

  test("keeps to its bytes and forgets what was not asked for the longest", () => {
    const cache = new EmbeddingCache(3 * ENTRY);
    for (const key of ["a", "b", "c"]) cache.set("acme", key, embedding(0));
    cache.get("acme", "a");
    cache.set("acme", "d", embedding(0));
    expect(["a", "b", "c", "d"].map((key) => cache.get("acme", key) !== undefined)).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(cache.usedBytes).toBe(3 * ENTRY);
    cache.set("acme", "d", embedding(1));
    expect(cache.usedBytes).toBe(3 * ENTRY);
    expect(cache.get("acme", "d")).toEqual(embedding(1));
  });

  test("a tenant that fills it pushes out its own, not another's", () => {
    const cache = new EmbeddingCache(4 * ENTRY);
    cache.set("quiet", "image", embedding(1));
    for (let image = 0; image < 100; image++) cache.set("busy", `image ${image}`, embedding(0));
    expect(cache.get("quiet", "image")).toEqual(embedding(1));
    expect(cache.get("busy", "image 99")).toBeDefined();
    expect(cache.usedBytes).toBe(4 * ENTRY);
  });

  test("keeps nothing without room, nor what is larger than all of it", () => {
    const none = new EmbeddingCache(0);
    none.set("acme", "image", embedding(1));
    const small = new EmbeddingCache(ENTRY - 1);
    small.set("acme", "image", embedding(1));
    expect([none.get("acme", "image"), small.get("acme", "image")]).toEqual([undefined, undefined]);
    expect([none.usedBytes, small.usedBytes]).toEqual([0, 0]);
  });
});
