export * from "./plain-value.ts";
export { type PytorchFile, readPytorchFile } from "./pytorch-file.ts";
