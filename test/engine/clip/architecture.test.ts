import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { expectedTensors } from "../../../src/engine/clip/expected-tensors.ts";
import { parseOpenClipArchitecture } from "../../../src/engine/clip/formats/open-clip-config.ts";
import { FIXTURES } from "./fixtures.ts";

const RN50 = {
  embed_dim: 1024,
  vision_cfg: { image_size: 224, layers: [3, 4, 6, 3], width: 64, patch_size: null },
  text_cfg: { context_length: 77, vocab_size: 49408, width: 512, heads: 8, layers: 12 },
};
const VIT_B_32 = {
  ...RN50,
  embed_dim: 512,
  quick_gelu: true,
  vision_cfg: { image_size: 224, layers: 12, width: 768, patch_size: 32 },
};

describe("architectures as open_clip describes them", () => {
  test("RN50", () => {
    expect(parseOpenClipArchitecture(RN50)).toEqual({
      embeddingWidth: 1024,
      image: {
        kind: "resnet",
        imageSize: { height: 224, width: 224 },
        layers: [3, 4, 6, 3],
        width: 64,
        heads: 32,
        grid: 7,
      },
      text: {
        contextLength: 77,
        vocabulary: 49408,
        width: 512,
        heads: 8,
        layers: 12,
        mlpWidth: 2048,
        activation: "gelu",
        normEpsilon: 1e-5,
        layerScale: false,
        pooling: { kind: "argmax" },
        paddingToken: 0,
        cleaning: "lower",
      },
    });
  });

  test("ViT-B/32 in model_cfg, beside its preprocessing", () => {
    const { image, text } = parseOpenClipArchitecture({ model_cfg: VIT_B_32, preprocess_cfg: { size: 224 } });
    expect(text.activation).toBe("quick-gelu");
    expect(image).toEqual({
      kind: "vision-transformer",
      imageSize: { height: 224, width: 224 },
      patchSize: 32,
      patches: 49,
      width: 768,
      layers: 12,
      heads: 12,
      mlpWidth: 3072,
      activation: "quick-gelu",
      normEpsilon: 1e-5,
      layerScale: false,
      normBeforeBlocks: true,
      pooling: "class-token",
    });
  });

  test("an oblong ViT counts whole patches", () => {
    const vision_cfg = { ...VIT_B_32.vision_cfg, image_size: [100, 70] };
    expect(parseOpenClipArchitecture({ ...VIT_B_32, vision_cfg }).image).toMatchObject({
      imageSize: { height: 100, width: 70 },
      patches: 3 * 2,
    });
  });

  test("a Hugging Face tokenizer is left to lower the case itself", () => {
    const text_cfg = { ...RN50.text_cfg, hf_tokenizer_name: "some/tokenizer" };
    expect(parseOpenClipArchitecture({ ...RN50, text_cfg }).text.cleaning).toBe("whitespace");
  });

  test("the tensors of RN50 and ViT-B/32, counted by their parameters", () => {
    // As PyTorch counts them, with the running statistics of RN50 and without the logit scale.
    expect(parameters(RN50)).toBe(102_007_136 + 2 * 26_624);
    expect(parameters(VIT_B_32)).toBe(151_277_312);
  });
});

describe("every configuration that open_clip knows", () => {
  interface Known {
    readonly config: object;
    /** Absent where the towers are not CLIP's own. */
    readonly tensors: string | null;
  }
  const known: Record<string, Known> = JSON.parse(readFileSync(join(FIXTURES, "architectures.json"), "utf8"));
  const names = (own: boolean) => Object.keys(known).filter((name) => (known[name].tensors !== null) === own);

  test("is there, from RN50 to ViT-bigG-14", () => {
    const sizes = ["RN50", "RN101", "RN50x4", "RN50x16", "RN50x64", "ViT-B-32", "ViT-B-16", "ViT-L-14"];
    expect(names(true)).toEqual(
      expect.arrayContaining([...sizes, "ViT-L-14-336", "ViT-H-14", "ViT-g-14", "ViT-bigG-14"]),
    );
  });

  test.each(names(true))("%s has the tensors that open_clip builds", (name) => {
    const { config, tensors } = known[name];
    const expected = expectedTensors(parseOpenClipArchitecture(config)).map(
      ([tensor, shape]) => `${tensor} ${shape}\n`,
    );
    // In the order of their names, as Python sorts them.
    const lines = expected.sort((a, b) => (a.split(" ")[0] < b.split(" ")[0] ? -1 : 1));
    expect(createHash("sha256").update(lines.join("")).digest("hex")).toBe(tensors);
  });

  test.each(names(false))("%s is refused for its foreign towers", (name) => {
    expect(() => parseOpenClipArchitecture(known[name].config)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_ARCHITECTURE" }),
    );
  });
});

describe("what would change the network is refused by its key", () => {
  const unsupported: [string, object][] = [
    ["vision_cfg.timm_model_name", vision({ timm_model_name: "convnext_base" })],
    ["vision_cfg.attentional_pool", vision({ attentional_pool: true })],
    ["vision_cfg.pool_type", vision({ pool_type: "none" })],
    ["vision_cfg.act_kwargs", vision({ act_kwargs: { approximate: "tanh" } })],
    ["vision_cfg.qk_norm", vision({ qk_norm: true })],
    ["vision_cfg.block_type", vision({ block_type: "custom" })],
    ["vision_cfg.registers", vision({ registers: 4 })],
    ["vision_cfg.image_size", vision({ layers: [1, 1, 1, 1], image_size: [64, 96] })],
    ["vision_cfg.image_size", vision({ layers: [1, 1, 1, 1], image_size: 31 })],
    ["vision_cfg.image_size", vision({ layers: [1, 1, 1, 1], image_size: 63 })],
    ["text_cfg.hf_model_name", text({ hf_model_name: "roberta-base" })],
    ["text_cfg.no_causal_mask", text({ no_causal_mask: true })],
    ["text_cfg.embed_cls", text({ embed_cls: true })],
    ["text_cfg.pool_type", text({ pool_type: "last" })],
    ["text_cfg.proj_type", text({ proj_type: "none" })],
    ["text_cfg.proj_bias", text({ proj_bias: true })],
    ["text_cfg.norm_kwargs.bias", text({ norm_kwargs: { bias: false } })],
    ["text_cfg.tokenizer_kwargs.strip_sep_token", text({ tokenizer_kwargs: { strip_sep_token: true } })],
    ["multimodal_cfg", { ...VIT_B_32, multimodal_cfg: {} }],
  ];

  test.each(unsupported)("%s", (key, config) => {
    expect(() => parseOpenClipArchitecture(config)).toThrow(
      expect.objectContaining({
        code: "UNSUPPORTED_ARCHITECTURE",
        details: expect.objectContaining({ key }),
      }),
    );
  });
});

describe("values that make no sense are refused by their key", () => {
  const invalid: [string, unknown][] = [
    ["", null],
    ["", [1]],
    ["embed_dim", {}],
    ["embed_dim", { ...RN50, embed_dim: -4 }],
    ["embed_dim", { ...RN50, embed_dim: 1e12 }],
    ["embed_dim", { ...RN50, embed_dim: "512" }],
    ["quick_gelu", { ...RN50, quick_gelu: "yes" }],
    ["vision_cfg", { ...RN50, vision_cfg: undefined }],
    ["text_cfg", { ...RN50, text_cfg: [] }],
    ["vision_cfg.layers", vision({ layers: [1, 2, 3] })],
    ["vision_cfg.layers", vision({ layers: [1, 1, 1, 1e6] })],
    ["vision_cfg.layers", vision({ layers: 1.5 })],
    ["vision_cfg.layers", vision({ layers: 1e6 })],
    ["vision_cfg.width", vision({ width: 0 })],
    ["vision_cfg.head_width", vision({ head_width: 100 })],
    ["vision_cfg.patch_size", vision({ patch_size: 225 })],
    ["vision_cfg.mlp_ratio", vision({ mlp_ratio: -1 })],
    ["vision_cfg.image_size", vision({ image_size: [224, 224, 3] })],
    ["text_cfg.heads", text({ heads: 7 })],
    ["text_cfg.context_length", text({ context_length: 2 })],
    ["text_cfg.pad_id", text({ pad_id: -1 })],
  ];

  test.each(invalid)("%s: %j", (key, config) => {
    expect(() => parseOpenClipArchitecture(config)).toThrow(
      expect.objectContaining({ code: "INVALID_CHECKPOINT", details: expect.objectContaining({ key }) }),
    );
  });

  test("settings of training and of switched-off features are no obstacle", () => {
    const config = vision({
      patch_dropout: 0.5,
      timm_model_name: null,
      attentional_pool: false,
      output_tokens: true,
    });
    expect(() =>
      parseOpenClipArchitecture({ ...config, init_logit_bias: -10, custom_text: true }),
    ).not.toThrow();
  });
});

function vision(change: object): object {
  return { ...VIT_B_32, vision_cfg: { ...VIT_B_32.vision_cfg, ...change } };
}

function text(change: object): object {
  return { ...VIT_B_32, text_cfg: { ...VIT_B_32.text_cfg, ...change } };
}

function parameters(config: unknown): number {
  const sizes = expectedTensors(parseOpenClipArchitecture(config)).map(([, shape]) =>
    shape.reduce((a, b) => a * b, 1),
  );
  return sizes.reduce((a, b) => a + b, 0);
}
