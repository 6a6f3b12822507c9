import { textProgram } from "../clip/programs.ts";
import { costOf } from "../onnx/cost.ts";
import { float32, type Tensor } from "../onnx/tensor.ts";
import type { Program } from "../runtime/program.ts";
import type { Lanes } from "./lanes.ts";
import { promptGradientProgram, tuningHeadProgram, tuningProgram } from "./objective.ts";
import type { Problem } from "./problem.ts";

/** Most bytes that the intermediate values of the prompts in work may take. */
export const PROMPT_BYTES = 512 * 2 ** 20;
/** Runs that may be in work at once; a constant, so that how prompts are cut does not depend on the machine. */
export const RUNS_AT_ONCE = 4;

/** Gives the sessions of a program by its name, opened when first asked for. */
export type OpenLanes = (name: string, program: () => Program) => Promise<Lanes>;

export type Feeds = Readonly<Record<string, Tensor>>;

/** What a run asks of the text tower. */
export interface TextTower {
  /** Normalised text features [C, D] of token vectors [C, L, d]. */
  features(tokens: Float32Array): Promise<Float32Array>;
  /** Losses [5] and the gradient [C, L, d] of their weighted sum; `feeds` are the inputs of `tuningLosses`. */
  tune(
    tokens: Float32Array,
    feeds: Feeds,
    batch: number,
  ): Promise<{ losses: Float32Array; gradient: Float32Array }>;
}

/**
 * The text tower on all prompts of a run. Where their intermediate values would take too much memory in one run, the
 * classes are cut into chunks: features chunk by chunk, then the loss and its gradient with respect to all features,
 * then back through the tower chunk by chunk, which computes the features once more.
 */
export class PromptTower implements TextTower {
  private size: number | undefined;

  /** @param bytes bounds the memory that prompts in work take. */
  constructor(
    private readonly problem: Problem,
    private readonly open: OpenLanes,
    private readonly bytes: number = PROMPT_BYTES,
  ) {}

  async features(tokens: Float32Array): Promise<Float32Array> {
    const { checkpoint, layout, width } = this.problem;
    const features = new Float32Array(layout.classes * width);
    const [classes, length] = [this.classesPerRun(), layout.length];
    const session = await this.open("text", () => textProgram(checkpoint, { classes, length }));
    await this.eachChunk(async (start) => {
      const { embedding } = await session.run(this.promptFeeds(tokens, start, classes));
      features.set(embedding.data as Float32Array, start * width);
    });
    return features;
  }

  async tune(
    tokens: Float32Array,
    feeds: Feeds,
    batch: number,
  ): Promise<{ losses: Float32Array; gradient: Float32Array }> {
    const { checkpoint, device, layout } = this.problem;
    const { classes, length } = layout;
    if (this.classesPerRun() < classes) return this.tuneInChunks(tokens, feeds, batch);
    const session = await this.open(`tuning of ${batch}`, () =>
      tuningProgram(checkpoint, { classes, length, batch }, device),
    );
    const { losses, gradient } = await session.run({ ...feeds, ...this.promptFeeds(tokens, 0, classes) });
    return { losses: losses.data as Float32Array, gradient: gradient.data as Float32Array };
  }

  /** As many as fit, see `classesPerRun`. */
  classesPerRun(): number {
    this.size ??= classesPerRun(this.problem, this.bytes);
    return this.size;
  }

  private async tuneInChunks(tokens: Float32Array, feeds: Feeds, batch: number) {
    const { checkpoint, device, layout, width } = this.problem;
    const text = float32([layout.classes, width], await this.features(tokens));
    const head = await this.open(`tuning head of ${batch}`, () =>
      tuningHeadProgram(checkpoint, { classes: layout.classes, batch }, device),
    );
    const { losses, gradient } = await head.run({ ...feeds, text });
    return {
      losses: losses.data as Float32Array,
      gradient: await this.pullBack(tokens, gradient.data as Float32Array),
    };
  }

  /** The gradient [C, L, d] by the token vectors, given that by their text features [C, D]. */
  async pullBack(tokens: Float32Array, byFeatures: Float32Array): Promise<Float32Array> {
    const { checkpoint, device, layout, width } = this.problem;
    const gradient = new Float32Array(tokens.length);
    const [classes, length] = [this.classesPerRun(), layout.length];
    const session = await this.open("prompt gradient", () =>
      promptGradientProgram(checkpoint, { classes, length }, device),
    );
    await this.eachChunk(async (start) => {
      const seed = byFeatures.slice(start * width, (start + classes) * width);
      const chunk = { ...this.promptFeeds(tokens, start, classes), seed: float32([classes, width], seed) };
      const result = await session.run(chunk);
      gradient.set(result.gradient.data as Float32Array, start * length * layout.width);
    });
    return gradient;
  }

  /** Calls with the first class of each chunk. The last chunk is as long as the others and overlaps the one before. */
  private async eachChunk(work: (start: number) => Promise<void>): Promise<void> {
    const { classes } = this.problem.layout;
    const size = this.classesPerRun();
    const starts = Array.from({ length: Math.ceil(classes / size) }, (_, chunk) =>
      Math.min(chunk * size, classes - size),
    );
    await Promise.all(starts.map(work));
  }

  private promptFeeds(tokens: Float32Array, start: number, count: number): Feeds {
    const { endOfText, length, width } = this.problem.layout;
    const part = (values: Float32Array, size: number) => values.slice(start * size, (start + count) * size);
    return {
      tokens: float32([count, length, width], part(tokens, length * width)),
      endOfText: float32([count, length, 1], part(endOfText, length)),
    };
  }
}

/** As many classes as fit into a run: all of them, or else chunks so small that those in work fit together. */
export function classesPerRun(
  { checkpoint, device, layout }: Pick<Problem, "checkpoint" | "device" | "layout">,
  bytes: number = PROMPT_BYTES,
): number {
  // What values take grows in proportion to the classes, so one class tells of all.
  const { graph } = promptGradientProgram(checkpoint, { classes: 1, length: layout.length }, device);
  const each = costOf(graph).peakActivationBytes;
  if (each * layout.classes <= bytes) return layout.classes;
  return Math.max(1, Math.floor(bytes / RUNS_AT_ONCE / each));
}
