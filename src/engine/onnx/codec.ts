export { encodeModel, withDynamicBatch } from "./encode.ts";
