export { decodeModel } from "./decode.ts";
export { encodeModel, withDynamicBatch } from "./encode.ts";
