import { gatherRows } from "../cbpt/features.ts";
import { imageProgram, imagesPerRun } from "../clip/programs.ts";
import { embedPrompts } from "../clip/zero-shot.ts";
import { encodeImages, listOf } from "../evaluation/encode.ts";
import { float32 } from "../onnx/tensor.ts";
import type { Program } from "../runtime/program.ts";
import { openSession } from "../runtime/session.ts";
import { captionsOf, type Others } from "./clean-pairs.ts";
import type { DefenceTask } from "./defence.ts";

/** The suspect model's embeddings of every shot and caption, computed once, and from them those of a batch. */
export async function suspectEmbeddings(task: DefenceTask): Promise<Others> {
  const { checkpoint, shots, device, threads } = task;
  const { image, embeddingWidth: width } = checkpoint.architecture;
  const open = (program: Program) => openSession(program, { device, threads });
  const captions = captionsOf(task).map((caption) => checkpoint.tokenizer.encode(caption));
  const texts = await embedPrompts(open, checkpoint, captions);
  const session = await open(imageProgram(checkpoint, { batch: "dynamic" }));
  try {
    const encoder = { session, imageSize: image.imageSize, width, batch: imagesPerRun(checkpoint) };
    const images = await encodeImages(
      encoder,
      listOf(shots.length, (index) => shots[index].pixels),
    );
    const rows = (from: Float32Array, indices: readonly number[]) =>
      float32([indices.length, width], gatherRows(from, width, indices));
    return (pairs) => ({
      suspectImages: rows(
        images,
        pairs.map(({ shot }) => shot),
      ),
      suspectTexts: rows(
        texts,
        pairs.map(({ caption }) => caption),
      ),
    });
  } finally {
    await session.close();
  }
}
