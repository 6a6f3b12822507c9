import type { CheckpointFormat } from "./format.ts";
import { huggingFace } from "./hugging-face.ts";
import { huggingFaceOnnx } from "./hugging-face-onnx.ts";
import { openClip } from "./open-clip.ts";
import { pickled } from "./pickled.ts";

/** The known layouts, pickles last. Of several that a folder fits, the first is read. */
export const FORMATS: readonly CheckpointFormat[] = [openClip, huggingFace, huggingFaceOnnx, pickled];
