import { describe, expect, test } from "@jest/globals";
import { defaultConfig } from "../../../src/engine/cbpt/config.ts";
import {
  assembleTokens,
  contextGradient,
  contextsByClass,
  initialContexts,
  layOutPrompts,
} from "../../../src/engine/cbpt/prompts.ts";

/** Words by their length, so that a token's vector tells which word it stands for. */
const tokenizer = {
  encode: (text: string) => [90, ...text.split(" ").map((word) => (word === "." ? 1 : 10 + word.length)), 99],
};
const embeddings = { width: 2, row: (id: number) => Float32Array.of(id, -id) };
const layOut = (
  position: "FRONT" | "MIDDLE" | "END",
  contextTokens = 4,
  { contextLength = 16, shared = false } = {},
) =>
  layOutPrompts(["cat", "fire truck"], tokenizer, embeddings, {
    contextTokens,
    position,
    contextLength,
    shared,
  });

/** What stands at each position: a token id, or V with its number, or 0 for nothing. */
function read(layout: ReturnType<typeof layOut>, label: number): (number | string)[] {
  const { base, slots, length, width, contextTokens } = layout;
  const tokens: (number | string)[] = Array.from(
    { length },
    (_, place) => base[(label * length + place) * width],
  );
  for (let context = 0; context < contextTokens; context++)
    tokens[slots[label * contextTokens + context]] = `V${context + 1}`;
  return tokens;
}

describe("a prompt", () => {
  test.each([
    ["END", [90, "V1", "V2", "V3", "V4", 13, 1, 99, 0], [90, "V1", "V2", "V3", "V4", 14, 15, 1, 99]],
    ["MIDDLE", [90, "V1", "V2", 13, "V3", "V4", 1, 99, 0], [90, "V1", "V2", 14, 15, "V3", "V4", 1, 99]],
    ["FRONT", [90, 13, "V1", "V2", "V3", "V4", 1, 99, 0], [90, 14, 15, "V1", "V2", "V3", "V4", 1, 99]],
  ] as const)("of position %s has its tokens in their places", (position, short, long) => {
    const layout = layOut(position);
    expect(read(layout, 0)).toEqual(short);
    expect(read(layout, 1)).toEqual(long);
    // M + n + 2 for a name of n tokens and the full stop, whatever the position.
    const ends = [0, 1].map((label) => layout.endOfText.slice(label * 9, label * 9 + 9).indexOf(1));
    expect(ends).toEqual([4 + 1 + 2, 4 + 2 + 2]);
  });

  test("is as long as the longest end of text needs, and not longer than the model reads", () => {
    expect(layOut("END", 1).length).toBe(6);
    expect(() => layOut("END", 4, { contextLength: 8 })).toThrow(
      'The prompt of "fire truck" takes 9 tokens and the model reads 8.',
    );
  });

  test("takes its context vectors in and gives their gradient back", () => {
    const layout = layOut("MIDDLE");
    const contexts = Float32Array.from({ length: 2 * 4 * 2 }, (_, index) => index + 1);
    const tokens = assembleTokens(layout, contexts);
    expect(contextGradient(layout, tokens)).toEqual(contexts);
    expect(tokens.slice(0, 4)).toEqual(Float32Array.of(90, -90, 1, 2));
    expect(layout.base.slice(2, 4)).toEqual(Float32Array.of(0, 0));
  });

  test("that shares its context with other classes adds up their gradients", () => {
    const layout = layOut("FRONT", 2, { shared: true });
    const contexts = Float32Array.of(1, 2, 3, 4);
    const tokens = assembleTokens(layout, contexts);
    const own = [0, 1].map((label) => tokens.slice(layout.slots[2 * label] * 2 + label * layout.length * 2));
    expect(own.map((values) => values.slice(0, 4))).toEqual([contexts, contexts]);
    expect(contextGradient(layout, tokens)).toEqual(Float32Array.of(2, 4, 6, 8));
    expect(contextsByClass(layout, contexts)).toEqual(Float32Array.of(1, 2, 3, 4, 1, 2, 3, 4));
    expect(initialContexts(layout, defaultConfig("UNIVERSAL"))).toHaveLength(4);
  });

  test("starts from context vectors of its own class, small and seeded", () => {
    const layout = layOut("END");
    const config = defaultConfig("UNIVERSAL");
    const contexts = initialContexts(layout, config);
    expect(initialContexts(layout, config)).toEqual(contexts);
    expect(initialContexts(layout, { ...config, seed: 2 })).not.toEqual(contexts);
    expect(contexts.slice(0, 8)).not.toEqual(contexts.slice(8));
    expect(Math.max(...contexts.map(Math.abs))).toBeLessThan(0.1);
  });
});
