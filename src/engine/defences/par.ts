import { gatherRows } from "../cbpt/features.ts";
import { imageProgram, imagesPerRun } from "../clip/programs.ts";
import { embedPrompts } from "../clip/zero-shot.ts";
import { encodeImages, listOf } from "../evaluation/encode.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import { float32 } from "../onnx/tensor.ts";
import { real } from "../parameters.ts";
import type { Program } from "../runtime/program.ts";
import { openSession, type Tensors } from "../runtime/session.ts";
import type { Learner } from "../training/learner.ts";
import { contrastiveLoss } from "../training/loss.ts";
import { type DefenceTask, defineDefence } from "./defence.ts";
import { captionsOf, FINE_TUNING_PARAMETERS, openFineTuning, type PairIndex } from "./fine-tuning.ts";

/** Perturb and recover. */
export const par = defineDefence({
  name: "par",
  paper: "Singh et al. 2024, arXiv:2412.00727",
  about:
    "Trains all weights further with CLIP's loss while it drives the embeddings away from those of the suspect model, up to a distance",
  makes: "weights",
  parameters: {
    ...FINE_TUNING_PARAMETERS,
    perturbation: real(0.5, [0, 100], "Weight of the distance from the suspect model's embeddings"),
    threshold: real(2.15, [0, 4], "Mean squared distance beyond which nothing drives them further"),
  },
  open: async (task, { perturbation, threshold, ...config }) =>
    openFineTuning(task, config, {
      name: "par",
      parameters: { ...config, perturbation, threshold },
      loss: parLoss({ perturbation, threshold }),
      others: await suspectEmbeddings(task),
    }),
});

/**
 * L = L_CLIP − w · (d_images + d_texts), d = mean over the batch of ‖e − e⁰‖², the squared distance of an embedding from
 * the suspect model's. Beyond the threshold a distance counts as the threshold, so that it has no gradient. The inputs
 * `suspectImages` and `suspectTexts` [N, D] are the suspect model's embeddings.
 */
export const parLoss =
  ({ perturbation, threshold }: { readonly perturbation: number; readonly threshold: number }) =>
  ({ g, scale }: Learner, images: Wire, texts: Wire): Wire => {
    const distance = (now: Wire, name: string) =>
      g.clip(meanSquaredDistance(g, now, g.input(name, now.shape)), 0, threshold);
    const moved = g.add(distance(images, "suspectImages"), distance(texts, "suspectTexts"));
    return g.sub(contrastiveLoss(g, images, texts, scale), g.mul(moved, perturbation));
  };

function meanSquaredDistance(g: GraphBuilder, a: Wire, b: Wire): Wire {
  const difference = g.sub(a, b);
  return g.div(g.reduceSum(g.mul(difference, difference)), a.shape[0]);
}

/** The suspect model's embeddings of every shot and caption, computed once, and from them those of a batch. */
async function suspectEmbeddings(task: DefenceTask): Promise<(pairs: readonly PairIndex[]) => Tensors> {
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
