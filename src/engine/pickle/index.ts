export * from "./plain-value.ts";
export { looksLikePytorch, type PytorchFile, parsePytorchFile, readPytorchFile } from "./pytorch-file.ts";
