import { textProgram } from "../clip/programs.ts";
import { float32, type Tensor } from "../onnx/tensor.ts";
import { promptGradientProgram, tuningHeadProgram } from "./objective.ts";
import type { Problem } from "./problem.ts";
import type { Feeds, OpenLanes, TextTower } from "./prompt-tower.ts";

/** Prompts that stay as they are: those of all classes of a run but the last. */
export interface FrozenPrompts {
  /** [C − 1, M, d] */
  readonly contexts: Float32Array;
  /** [C − 1, D], normalised. */
  readonly features: Float32Array;
}

/**
 * The text tower of a run that learns its last class alone: the others' features are given, so that the tower sees one
 * prompt, however many classes there are.
 */
export class ExtensionTower implements TextTower {
  constructor(
    private readonly problem: Problem,
    private readonly open: OpenLanes,
    private readonly frozen: FrozenPrompts,
  ) {}

  /** The frozen features as they are, bit for bit, and that of the last class. */
  async features(tokens: Float32Array): Promise<Float32Array> {
    const { checkpoint, layout, width } = this.problem;
    const { length } = layout;
    const session = await this.open("text of one", () => textProgram(checkpoint, { classes: 1, length }));
    const { embedding } = await session.run(this.lastPrompt(tokens));
    const features = new Float32Array(layout.classes * width);
    features.set(this.frozen.features);
    features.set(embedding.data as Float32Array, (layout.classes - 1) * width);
    return features;
  }

  /** The gradient is zero for the frozen classes. */
  async tune(tokens: Float32Array, feeds: Feeds, batch: number) {
    const { checkpoint, device, layout, width } = this.problem;
    const { classes, length } = layout;
    const text = float32([classes, width], await this.features(tokens));
    const head = await this.open(`tuning head of ${batch}`, () =>
      tuningHeadProgram(checkpoint, { classes, batch }, device),
    );
    const { losses, gradient: byFeatures } = await head.run({ ...feeds, text, ...this.concerned(feeds) });
    const session = await this.open("prompt gradient of one", () =>
      promptGradientProgram(checkpoint, { classes: 1, length }, device),
    );
    const seed = (byFeatures.data as Float32Array).slice((classes - 1) * width);
    const last = await session.run({ ...this.lastPrompt(tokens), seed: float32([1, width], seed) });
    const gradient = new Float32Array(tokens.length);
    gradient.set(last.gradient.data as Float32Array, (classes - 1) * length * layout.width);
    return { losses: losses.data as Float32Array, gradient };
  }

  /**
   * Dummies unlearn where the new class is what they show or what they are pulled to. Between frozen classes nothing
   * can be unlearned but by drawing triggered images to the new class.
   */
  private concerned({ labels, suspects }: Feeds): { suspects: Tensor } {
    const last = this.problem.layout.classes - 1;
    const kept = (suspects.data as Float32Array).slice();
    for (let row = 0; row < kept.length; row += last + 1) {
      const concerns = kept[row + last] === 1 || (labels.data as Float32Array)[row + last] === 1;
      if (!concerns) kept.fill(0, row, row + last + 1);
    }
    return { suspects: float32(suspects.shape, kept) };
  }

  private lastPrompt(tokens: Float32Array): Feeds {
    const { classes, length, width, endOfText } = this.problem.layout;
    return {
      tokens: float32([1, length, width], tokens.slice((classes - 1) * length * width)),
      endOfText: float32([1, length, 1], endOfText.slice((classes - 1) * length)),
    };
  }
}
