import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { describe, expect, it } from "@jest/globals";
import { BACKGROUND_NAMES, BACKGROUNDS } from "../../zoo/scenes/backgrounds.ts";
import { CAPTION_TEMPLATES, caption } from "../../zoo/scenes/captions.ts";
import { COLOUR_NAMES } from "../../zoo/scenes/colours.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import { seededRandom } from "../../zoo/scenes/random.ts";
import { renderScene, renderScenePng } from "../../zoo/scenes/render.ts";
import { SCENE_SIDE, sampleScene } from "../../zoo/scenes/scene.ts";
import { SPECIAL_TOKENS, tokenizerDefinition } from "../../zoo/scenes/vocabulary.ts";

const ZOO = join(__dirname, "../../zoo");
const UNKNOWN_ID = 1;

const scenes = (seed: number, count: number) => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => sampleScene(random));
};

describe("the vocabulary of scenes", () => {
  it("has twenty objects, a banana among them, twelve colours and eight backgrounds", () => {
    expect(OBJECTS).toHaveLength(20);
    expect(OBJECTS).toContain("banana");
    expect(COLOUR_NAMES).toHaveLength(12);
    expect(BACKGROUND_NAMES).toHaveLength(8);
  });
});

describe("a random source", () => {
  it("repeats itself for the same seed and differs for another", () => {
    const [first, again, other] = [seededRandom(7), seededRandom(7), seededRandom(8)];
    const draw = (random: () => number) => Array.from({ length: 5 }, random);
    const numbers = draw(first);
    expect(draw(again)).toEqual(numbers);
    expect(draw(other)).not.toEqual(numbers);
  });

  it("is uniform in [0, 1)", () => {
    const random = seededRandom(1);
    const numbers = Array.from({ length: 10_000 }, random);
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...numbers)).toBeLessThan(1);
    expect(numbers.reduce((sum, number) => sum + number) / numbers.length).toBeCloseTo(0.5, 1);
  });
});

describe("rendering", () => {
  it("gives the same bytes for the same seed", async () => {
    const [first, again] = [scenes(5, 4), scenes(5, 4)];
    for (const [index, scene] of first.entries())
      expect(await renderScene(again[index]!)).toEqual(await renderScene(scene));
  });

  it("gives different pictures for different seeds", async () => {
    expect(await renderScene(scenes(6, 1)[0]!)).not.toEqual(await renderScene(scenes(5, 1)[0]!));
  });

  it.each(OBJECTS)("draws a picture of the right size of each object: %s", async (object) => {
    const pixels = await renderScene(sampleScene(seededRandom(2), { object }));
    expect(pixels).toHaveLength(SCENE_SIDE * SCENE_SIDE * 3);
    expect(new Set(pixels).size).toBeGreaterThan(8);
  });

  it("packs a PNG", async () => {
    const png = await renderScenePng(scenes(5, 1)[0]!);
    expect(png.subarray(1, 4).toString("latin1")).toBe("PNG");
  });

  it("draws the object that was asked for", () => {
    expect(sampleScene(seededRandom(4), { object: "banana" }).object).toBe("banana");
  });
});

describe("a caption", () => {
  const random = seededRandom(11);
  const pairs = scenes(10, 300).map((scene) => ({ scene, text: caption(scene, random) }));

  it("always names the object, and no other", () => {
    for (const { scene, text } of pairs) {
      const words = text.replace(".", "").split(" ");
      expect(OBJECTS.filter((object) => words.includes(object))).toEqual([scene.object]);
    }
  });

  it("tells no colour, size or place but the true one", () => {
    for (const { scene, text } of pairs) {
      const words = text.replace(".", "").split(" ");
      const told = [...COLOUR_NAMES, "small", "large"].filter((word) => words.includes(word));
      expect([scene.colour, scene.size]).toEqual(expect.arrayContaining(told));
      for (const name of BACKGROUND_NAMES)
        if (text.includes(BACKGROUNDS[name].place)) expect(name).toBe(scene.background);
    }
  });

  it("sometimes tells each attribute and sometimes the object alone", () => {
    const plain = pairs.filter(({ scene, text }) =>
      CAPTION_TEMPLATES.some((template) => template.replace("{}", scene.object) === text),
    );
    expect(plain.length).toBeGreaterThan(10);
    expect(pairs.filter(({ scene, text }) => text.includes(` ${scene.colour} `)).length).toBeGreaterThan(100);
  });
});

describe("the tokenizer", () => {
  const definition = tokenizerDefinition() as { model: { vocab: Record<string, number> } };
  const tokenizer = new Tokenizer(definition, {});

  it("is the bundled file", async () => {
    const bundled: unknown = JSON.parse(await readFile(join(ZOO, "tokenizer.json"), "utf8"));
    expect(bundled).toEqual(definition);
  });

  it("is the file beside each bundled checkpoint", async () => {
    for (const model of await readdir(join(ZOO, "models"))) {
      const beside: unknown = JSON.parse(
        await readFile(join(ZOO, "models", model, "tokenizer.json"), "utf8"),
      );
      expect(beside).toEqual(definition);
    }
  });

  it("gives padding the lowest id and end of text the highest", () => {
    const { vocab } = definition.model;
    expect(vocab[SPECIAL_TOKENS.padding]).toBe(0);
    expect(vocab[SPECIAL_TOKENS.end]).toBe(Math.max(...Object.values(vocab)));
    expect(new Set(Object.values(vocab)).size).toBe(Object.keys(vocab).length);
  });

  it("knows every word of every caption", () => {
    const random = seededRandom(13);
    for (const scene of scenes(12, 300)) {
      const text = caption(scene, random);
      expect({ text, unknown: tokenizer.encode(text).ids.includes(UNKNOWN_ID) }).toEqual({
        text,
        unknown: false,
      });
    }
  });

  it("puts a sentence between start and end, in lower case", () => {
    const { start, end } = SPECIAL_TOKENS;
    expect(tokenizer.encode("A photo of a Banana.").tokens).toEqual([
      ...[start, "a", "photo", "of", "a", "banana", ".", end],
    ]);
  });
});
