import type { Command } from "./command.ts";

export const importCommand: Command = {
  summary: "Brings a CLIP checkpoint into the models folder, checked and tested.",
  positionals: ["SOURCE"],
  flags: {
    name: { value: "NAME", help: "What the model is called; by default as its source." },
    trust: { value: "LEVEL", help: "suspect (the default), trusted or quarantined." },
    format: { value: "FORMAT", help: "Only safetensors, onnx or pickled, where a source has several." },
    config: { value: "FILE", help: "A configuration in place of the source's." },
    tokenizer: { value: "PATH", help: "A tokenizer, or a folder with one, in place of the source's." },
    normalisation: {
      value: "HOW",
      help: "How images were normalised in training: none, clip, imagenet, half, or M,M,M/S,S,S.",
    },
    overrides: {
      value: "FILE",
      help: "Other things that the configuration has wrong, as in docs/import.md.",
    },
    replace: { help: "Replaces a model of that name, once the new one has passed its self-test." },
    "models-dir": {
      value: "FOLDER",
      help: "The models folder; by default MODELS_DIR, else the bundled one.",
    },
    json: { help: "Prints the report as one line of JSON." },
  },
  notes: `SOURCE is a folder, a file of weights with its configuration and tokenizer beside it, or a repository of the hub:

  antidote import ~/checkpoints/ViT-B-32
  antidote import weights/epoch_30.pt --tokenizer tokenizer.json --normalisation none --name suspect
  antidote import hf:openai/clip-vit-base-patch32
  antidote import hf:OWNER/NAME@REVISION/FOLDER

HF_TOKEN is the token for repositories that need one; HF_ENDPOINT names another hub. A download that was stopped goes
on where it was when the same command is run again. Nothing of a checkpoint is ever executed.`,
  load: async () => (await import("./import.ts")).runImport,
};
