import { describe, expect, test } from "@jest/globals";
import { selectFile, selectFromFolder } from "../../../src/services/import/selection.ts";

const HUGGING_FACE = ["config.json", "preprocessor_config.json", "tokenizer.json"];

/** What repositories of the hub look like. */
const OPENAI = [
  ".gitattributes",
  "README.md",
  "flax_model.msgpack",
  "merges.txt",
  "pytorch_model.bin",
  "special_tokens_map.json",
  "tf_model.h5",
  "tokenizer_config.json",
  "vocab.json",
  ...HUGGING_FACE,
];
const LAION = [
  ...OPENAI,
  "model.safetensors",
  "open_clip_config.json",
  "open_clip_model.safetensors",
  "open_clip_pytorch_model.bin",
];

const names = (files: readonly { to: string }[]) => files.map(({ to }) => to).sort();

describe("of a repository", () => {
  const shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const cases: [string, readonly string[], string | undefined, readonly string[]][] = [
    ["pickles where there is nothing else", OPENAI, undefined, [...HUGGING_FACE, "pytorch_model.bin"]],
    [
      "safetensors before pickles",
      [...OPENAI, "model.safetensors"],
      undefined,
      [...HUGGING_FACE, "model.safetensors"],
    ],
    [
      "all shards and their index",
      [...OPENAI, ...shards, "model.safetensors.index.json"],
      undefined,
      [...HUGGING_FACE, ...shards, "model.safetensors.index.json"],
    ],
    [
      "open_clip's own before what was made of it",
      LAION,
      undefined,
      ["open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json"],
    ],
    [
      "exports in full precision, with their data, and nothing quantised",
      [
        ...HUGGING_FACE,
        "onnx/model.onnx",
        "onnx/model.onnx_data",
        "onnx/model_fp16.onnx",
        "onnx/model_quantized.onnx",
        "onnx/text_model.onnx",
        "onnx/vision_model.onnx",
      ],
      undefined,
      [...HUGGING_FACE, "onnx/model.onnx", "onnx/model.onnx_data"],
    ],
    ["another layout by its name", LAION, "hugging-face", [...HUGGING_FACE, "model.safetensors"]],
    [
      "pickles when they are asked for",
      LAION,
      "pickled",
      ["open_clip_config.json", "open_clip_pytorch_model.bin", "preprocessor_config.json", "tokenizer.json"],
    ],
  ];

  test.each(cases)("%s", (_, files, format, wanted) => {
    const selection = selectFromFolder(files, format);
    expect(names(selection.files)).toEqual([...wanted].sort());
    expect([...names(selection.files), ...selection.leftOut].sort()).toEqual([...files].sort());
  });

  test("without weights says what there is, and what could be", () => {
    expect(() => selectFromFolder(["README.md", "weights.gguf"])).toThrow(
      expect.objectContaining({
        code: "INVALID_CHECKPOINT",
        message: expect.stringMatching(/README\.md, weights\.gguf[\s\S]*open_clip:/),
      }),
    );
  });
});

describe("of a lone file", () => {
  test("what lies beside it, and one folder up, but no other weights", () => {
    const files = [
      "run/epoch_1.pt",
      "run/epoch_2.pt",
      "run/notes.md",
      "open_clip_config.json",
      "run/tokenizer.json",
    ];
    expect(selectFile(files, "run/epoch_2.pt").files).toEqual(
      expect.arrayContaining([
        { from: "run/epoch_2.pt", to: "epoch_2.pt" },
        { from: "open_clip_config.json", to: "open_clip_config.json" },
        { from: "run/tokenizer.json", to: "tokenizer.json" },
      ]),
    );
    expect(selectFile(files, "run/epoch_2.pt").files).toHaveLength(3);
  });

  test("under the name that its layout gives it", () => {
    const beside = ["config.json", "tokenizer.json"];
    expect(selectFile(["mine.safetensors", ...beside], "mine.safetensors").files).toContainEqual({
      from: "mine.safetensors",
      to: "model.safetensors",
    });
    expect(
      selectFile(["mine.safetensors", "open_clip_config.json"], "mine.safetensors").files,
    ).toContainEqual({
      from: "mine.safetensors",
      to: "open_clip_model.safetensors",
    });
  });

  test("without a configuration is refused where the layout needs one", () => {
    expect(() => selectFile(["mine.safetensors", "tokenizer.json"], "mine.safetensors")).toThrow(
      expect.objectContaining({ code: "INVALID_CHECKPOINT" }),
    );
  });
});
