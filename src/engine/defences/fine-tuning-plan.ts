import { repeated, type Speed, secondsOf, timed } from "../cbpt/calibration.ts";
import { type PlannedBytes, type PlannedPhase, phase } from "../cbpt/plan.ts";
import type { Shot } from "../cbpt/problem.ts";
import { encodeState } from "../cbpt/state.ts";
import { imageProgram, imagesPerRun, textProgram } from "../clip/programs.ts";
import { flopsOf } from "../onnx/cost.ts";
import { float32, sizeOf } from "../onnx/tensor.ts";
import type { Program } from "../runtime/program.ts";
import { openSession } from "../runtime/session.ts";
import { requireTrainable } from "../training/checkpoint-files.ts";
import { layoutOf } from "../training/layout.ts";
import { stepProgram } from "../training/program.ts";
import { captionLength, captionsOf } from "./clean-pairs.ts";
import type { DefenceSize, DefenceTask, PlannedRun } from "./defence.ts";
import { extentOf, type FineTuningConfig, openFineTuning, type Recipe } from "./fine-tuning.ts";

/** What a run of `openFineTuning` will do. Fails as that does. */
export async function planFineTuning(
  size: DefenceSize,
  config: FineTuningConfig,
  recipe: Recipe,
): Promise<PlannedRun> {
  const { checkpoint } = size;
  requireTrainable(checkpoint);
  const { batch, steps, program } = extentOf(size, config, recipe);
  const flops = flopsOf(stepProgram(checkpoint, layoutOf(checkpoint.architecture), program).graph);
  return {
    plan: {
      phases: [
        preparing(size, recipe),
        phase("fine-tune", steps, steps * program.batch, { gradient: steps * flops }),
      ],
      // Nothing of a run shows only on its way.
      assumptions: [],
      bytes: bytesOf(size),
    },
    calibrate: async (sample, save) => {
      const shots = repeated(sample, batch, size.labels.length);
      const { gradient, epochSeconds } = await trainingSpeed({ ...size, shots }, config, recipe, flops, save);
      return { rates: { ...(await forwardRates(size, sample)), gradient }, epochSeconds };
    },
  };
}

function preparing(size: DefenceSize, { recalls }: Recipe): PlannedPhase {
  if (!recalls) return phase("prepare", 1, 0, {});
  const images = size.shots.length;
  return phase("prepare", 1, images, {
    image: images * flopsOf(oneImage(size).graph),
    text: captionsOf(size).length * flopsOf(oneCaption(size).graph),
  });
}

const oneImage = ({ checkpoint }: DefenceSize): Program => imageProgram(checkpoint, { batch: "dynamic" });

const oneCaption = (size: DefenceSize): Program =>
  textProgram(size.checkpoint, { classes: 1, length: captionLength(size, false) });

/** All of the state is in the process that measures a step, so nothing comes on top of what that had. */
function bytesOf({ checkpoint, shots }: DefenceSize): PlannedBytes {
  const { matrices, vectors, statistics } = layoutOf(checkpoint.architecture);
  const { height, width } = checkpoint.architecture.image.imageSize;
  const learned = 4 * (matrices.size + vectors.size);
  return {
    shots: shots.length * sizeOf([3, height, width]),
    state: 0,
    // Beside the weights the two moments of their gradients.
    saved: 3 * learned + 4 * statistics.size,
    artifact: learned + 4 * statistics.size,
  };
}

/** Of whole steps from the suspect model's weights, and how long it takes to save what is there after one. */
async function trainingSpeed(
  task: DefenceTask,
  config: FineTuningConfig,
  recipe: Recipe,
  flops: number,
  save: (state: Uint8Array) => Promise<void>,
): Promise<Pick<Speed, "epochSeconds"> & { readonly gradient: number }> {
  const run = await openFineTuning(task, config, recipe);
  try {
    const state = await run.init();
    const gradient = flops / (await timed(() => run.step(state)));
    return { gradient, epochSeconds: await secondsOf(() => save(encodeState(state))) };
  } finally {
    await run.close();
  }
}

/** Of images and captions on their way through the suspect model. */
async function forwardRates(size: DefenceSize, sample: readonly Shot[]) {
  const { checkpoint } = size;
  const { image, text } = checkpoint.architecture;
  const [images, captions] = [imagesPerRun(checkpoint), captionsOf(size).length];
  const classes = Math.min(images, captions);
  const length = captionLength(size, false);
  const pixels = float32([images, 3, image.imageSize.height, image.imageSize.width]);
  repeated(sample, images, 1).forEach((shot, index) => {
    (pixels.data as Float32Array).set(shot.pixels, index * shot.pixels.length);
  });
  const tokens = float32([classes, length, text.width]);
  const endOfText = float32([classes, length, 1], new Float32Array(classes * length).fill(1));
  const rate = async (program: Program, flops: number, feeds: Record<string, ReturnType<typeof float32>>) => {
    const session = await openSession(program, size);
    try {
      return flops / (await timed(() => session.run(feeds)));
    } finally {
      await session.close();
    }
  };
  return {
    image: await rate(oneImage(size), images * flopsOf(oneImage(size).graph), { pixels }),
    text: await rate(
      textProgram(checkpoint, { classes, length }),
      classes * flopsOf(oneCaption(size).graph),
      { tokens, endOfText },
    ),
  };
}
