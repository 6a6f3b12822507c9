export type * from "./architecture.ts";
export * from "./checkpoint.ts";
export * from "./decoding.ts";
export type { ExportedTowers } from "./exported-towers.ts";
export { FORMATS } from "./formats/index.ts";
export { parseOpenClipArchitecture } from "./formats/open-clip-config.ts";
export {
  type CheckpointOverrides,
  OVERRIDES_FILE,
  type PreprocessingOverrides,
  parseOverrides,
} from "./overrides.ts";
export * from "./preprocessing.ts";
export * from "./programs.ts";
export * from "./safetensors.ts";
export type { TensorEntry } from "./safetensors-header.ts";
export * from "./self-test.ts";
export type { StoredPart, StoredTensor } from "./stored-tensor.ts";
export * from "./token-embeddings.ts";
export type { ClipTokenizer } from "./tokenizer.ts";
export { imageEmbedding, textEmbedding } from "./towers.ts";
export * from "./zero-shot.ts";
