import { describe, expect, test } from "@jest/globals";
import { inferOpenClipConfig } from "../../../src/engine/clip/formats/inferred-config.ts";
import { parseOpenClipArchitecture } from "../../../src/engine/clip/formats/open-clip-config.ts";

describe("the architecture that tensors' shapes tell is the one that OpenAI's models have", () => {
  const text = (width: number) => ({
    text_projection: [width, 512],
    positional_embedding: [77, width],
    "token_embedding.weight": [49408, width],
    ...Object.fromEntries(
      Array.from({ length: 12 }, (_, block) => [`transformer.resblocks.${block}.ln_1.weight`, [width]]),
    ),
    "transformer.resblocks.0.mlp.c_fc.weight": [width * 4, width],
  });
  const vision = (width: number, patch: number, positions: number) => ({
    "visual.conv1.weight": [width, 3, patch, patch],
    "visual.positional_embedding": [positions, width],
    "visual.transformer.resblocks.0.ln_1.weight": [width],
    "visual.transformer.resblocks.0.mlp.c_fc.weight": [width * 4, width],
  });
  const infer = (shapes: Record<string, number[]>) =>
    parseOpenClipArchitecture(inferOpenClipConfig((name) => shapes[name], "model.pt"));

  test("ViT-B/32, ViT-L/14 and ViT-L/14 for 336 pixels", () => {
    expect(infer({ ...text(512), ...vision(768, 32, 50) })).toMatchObject({
      embeddingWidth: 512,
      image: {
        kind: "vision-transformer",
        patchSize: 32,
        heads: 12,
        mlpWidth: 3072,
        imageSize: { height: 224 },
      },
      text: { contextLength: 77, vocabulary: 49408, width: 512, heads: 8, layers: 12, mlpWidth: 2048 },
    });
    const large = infer({ ...text(768), ...vision(1024, 14, 577) });
    expect(large).toMatchObject({ image: { heads: 16, imageSize: { width: 336 } }, text: { heads: 12 } });
  });

  test("RN50x4", () => {
    const blocks = [4, 6, 10, 6].flatMap((count, stage) =>
      Array.from({ length: count }, (_, block) => [
        `visual.layer${stage + 1}.${block}.conv1.weight`,
        [80, 80, 1, 1],
      ]),
    );
    const shapes = { ...Object.fromEntries(blocks), "visual.attnpool.positional_embedding": [82, 2560] };
    expect(infer({ ...text(640), ...shapes }).image).toMatchObject({
      kind: "resnet",
      layers: [4, 6, 10, 6],
      width: 80,
      heads: 40,
      imageSize: { height: 288, width: 288 },
    });
  });

  const whole = { ...text(512), ...vision(768, 32, 50) };
  test.each([
    ["a width of other heads", { ...text(512), ...vision(1280, 14, 257) }, "visual.conv1.weight"],
    ["patches that are no square", { ...text(512), ...vision(768, 32, 51) }, "visual.positional_embedding"],
    ["no image tower", text(512), "visual.conv1.weight"],
    ["a projection of one dimension", { ...whole, text_projection: [512] }, "text_projection"],
    ["a convolution of none", { ...whole, "visual.conv1.weight": [0, 3, 0, 0] }, "visual.conv1.weight"],
  ])("%s is told by the tensor's name", (_, shapes, tensor) => {
    expect(() => infer(shapes)).toThrow(
      expect.objectContaining({ code: "INVALID_CHECKPOINT", details: { file: "model.pt", tensor } }),
    );
  });
});
