import { imageProgram, imagesPerRun } from "../clip/programs.ts";
import { encodeImages, type ImageList } from "../evaluation/encode.ts";
import { float32, sizeOf } from "../onnx/tensor.ts";
import type { Program } from "../runtime/program.ts";
import { ExtensionTower, type FrozenPrompts } from "./extension-tower.ts";
import { oneHot } from "./features.ts";
import { Lanes } from "./lanes.ts";
import { perImageProgram, pullProgram, pullWithTextProgram, universalProgram } from "./objective.ts";
import type { Problem } from "./problem.ts";
import { type OpenLanes, PromptTower, type TextTower } from "./prompt-tower.ts";
import { assembleTokens } from "./prompts.ts";

/** What an outer step is given: B rows each. */
export interface TuningBatch {
  /** [B, D] */
  readonly clean: Float32Array;
  /** [B, D] */
  readonly dummy: Float32Array;
  readonly labels: readonly number[];
  /** [B, C]: what each clean row is to be predicted as. */
  readonly targets: Float32Array;
  /** Weight of each clean row. */
  readonly emphasis: readonly number[];
  /** [C]: how strictly each class stays near its undefended text feature. */
  readonly anchors: readonly number[];
  /** The class to push each dummy away from; negative for none. */
  readonly suspects: readonly number[];
  /** By how many logits a dummy is to be further from that class than it has to. */
  readonly margin: number;
  /** As in `LOSSES`. */
  readonly weights: readonly number[];
}

/** The networks of one run, each compiled when it is first used. */
export class Workbench {
  private readonly sessions = new Map<string, Promise<Lanes>>();
  private readonly remembered = new WeakMap<object, unknown>();

  private readonly prompts: TextTower;
  /** The text tower on prompts with a word before them; there is one where the problem has a layout for them. */
  readonly phrases: PromptTower | undefined;

  /**
   * @param options.promptBytes as in `PromptTower`.
   * @param options.frozen the prompts of all classes but the last, where only that one is learned.
   */
  constructor(
    readonly problem: Problem,
    { promptBytes, frozen }: { readonly promptBytes?: number; readonly frozen?: FrozenPrompts } = {},
  ) {
    const open: OpenLanes = (name, program) => this.session(name, program);
    this.prompts = frozen
      ? new ExtensionTower(problem, open, frozen)
      : new PromptTower(problem, open, promptBytes);
    const { wordLayout: layout } = problem;
    if (layout)
      this.phrases = new PromptTower(
        { ...problem, layout },
        (name, program) => this.lanes(`word ${name}`, program),
        promptBytes,
      );
  }

  /** What was made for the key before, or else is made now: for what follows from a state and need not be in it. */
  remember<Made>(key: object, make: () => Promise<Made>): Promise<Made> {
    const made = (this.remembered.get(key) as Promise<Made> | undefined) ?? make();
    this.remembered.set(key, made);
    return made;
  }

  /** Normalised embeddings [n, D] of images [3, H, W]. */
  async encode(images: ImageList): Promise<Float32Array> {
    const { checkpoint, imageSize, width } = this.problem;
    const session = await this.lanes("image", () => imageProgram(checkpoint, { batch: "dynamic" }));
    return encodeImages({ session, imageSize, width, batch: imagesPerRun(checkpoint) }, images);
  }

  /** The purified text features [C, D] of context vectors [C, M, d]. */
  async textFeatures(contexts: Float32Array): Promise<Float32Array> {
    return this.prompts.features(assembleTokens(this.problem.layout, contexts));
  }

  /** Losses as in `LOSSES` and the gradient [C, L, d] of their weighted sum. */
  async tune(contexts: Float32Array, batch: TuningBatch) {
    const { layout, matrix, width } = this.problem;
    const { classes } = layout;
    const rows = batch.labels.length;
    const feeds = {
      clean: float32([rows, width], batch.clean.slice()),
      dummy: float32([rows, width], batch.dummy.slice()),
      labels: float32([rows, classes], oneHot(batch.labels, classes)),
      targets: float32([rows, classes], batch.targets),
      suspects: float32([rows, classes], oneHot(batch.suspects, classes)),
      margin: float32([1], [batch.margin]),
      emphasis: float32([rows, 1], batch.emphasis),
      undefended: float32([classes, width], matrix.slice()),
      anchors: float32([classes, 1], batch.anchors),
      weights: float32([batch.weights.length], batch.weights),
    };
    const { losses, gradient } = await this.prompts.tune(assembleTokens(layout, contexts), feeds, rows);
    return { losses: Array.from(losses), gradient };
  }

  /**
   * One step of K universal triggers [K, 3, H, W], each on the m images that stand together in `pixels`
   * [K·m, 3, H, W], pulled to its target; both are given away. Losses [K] and their gradient [K, 3, H, W].
   */
  async invertUniversal(pixels: Float32Array, triggers: Float32Array, targets: readonly number[]) {
    const { checkpoint, device, imageSize, width, matrix, layout } = this.problem;
    const image = [3, imageSize.height, imageSize.width];
    const [count, images] = [targets.length, pixels.length / sizeOf(image) / targets.length];
    const session = await this.lanes(`universal ${count}x${images}`, () =>
      universalProgram(checkpoint, { triggers: count, images, classes: layout.classes }, device),
    );
    const { losses, gradient } = await session.run({
      pixels: float32([count * images, ...image], pixels),
      triggers: float32([count, ...image], triggers),
      text: float32([layout.classes, width], matrix.slice()),
      targets: float32([count, layout.classes], oneHot(targets, layout.classes)),
    });
    return { losses: losses!.data as Float32Array, gradient: gradient!.data as Float32Array };
  }

  /**
   * How far triggered images [n, 3, H, W], which are given away, are from being taken for a class: their losses [n],
   * and the gradient [n, 3, H, W] of the sum.
   */
  async pull(pixels: Float32Array, label: number) {
    const { checkpoint, device, imageSize, width, matrix, layout } = this.problem;
    const image = [3, imageSize.height, imageSize.width];
    const images = pixels.length / sizeOf(image);
    const session = await this.lanes(`pull ${images}`, () =>
      pullProgram(checkpoint, { images, classes: layout.classes }, device),
    );
    const targets = oneHot(new Array(images).fill(label), layout.classes);
    const { losses, gradient } = await session.run({
      pixels: float32([images, ...image], pixels),
      text: float32([layout.classes, width], matrix.slice()),
      targets: float32([images, layout.classes], targets),
    });
    return { losses: losses.data as Float32Array, gradient: gradient.data as Float32Array };
  }

  /**
   * How far triggered images [n, 3, H, W], which are given away, are from being taken for a class by text features
   * [C, D], and clean features from their own labels: the sum of both means, and its gradients [n, 3, H, W] and [C, D].
   */
  async pullWithText(
    pixels: Float32Array,
    label: number,
    text: Float32Array,
    clean: { readonly features: Float32Array; readonly labels: readonly number[] },
  ) {
    const { checkpoint, device, imageSize, width, layout } = this.problem;
    const { classes } = layout;
    const image = [3, imageSize.height, imageSize.width];
    const [images, rows] = [pixels.length / sizeOf(image), clean.labels.length];
    const session = await this.lanes(`pull with text ${images} ${rows}`, () =>
      pullWithTextProgram(checkpoint, { images, rows, classes }, device),
    );
    const { loss, byPixels, byText } = await session.run({
      pixels: float32([images, ...image], pixels),
      targets: float32([images, classes], oneHot(new Array(images).fill(label), classes)),
      text: float32([classes, width], text.slice()),
      clean: float32([rows, width], clean.features),
      labels: float32([rows, classes], oneHot(clean.labels, classes)),
    });
    return {
      loss: (loss.data as Float32Array)[0],
      byPixels: byPixels.data as Float32Array,
      byText: byText.data as Float32Array,
    };
  }

  /** One published inner step of B triggers [B, 3, H, W], one per image: the summed loss and its gradient. */
  async invertPerImage(feeds: {
    pixels: Float32Array;
    triggers: Float32Array;
    positive: Float32Array;
    negative: Float32Array;
  }) {
    const { checkpoint, device, imageSize, width: embedding, config } = this.problem;
    const batch = feeds.positive.length / embedding;
    const session = await this.session(`per image ${batch}`, () =>
      perImageProgram(checkpoint, { batch, temperature: config.temperature }, device),
    );
    const pixels = [batch, 3, imageSize.height, imageSize.width];
    const { loss, gradient } = await session.run({
      pixels: float32(pixels, feeds.pixels.slice()),
      triggers: float32(pixels, feeds.triggers.slice()),
      positive: float32([batch, embedding], feeds.positive.slice()),
      negative: float32([batch, embedding], feeds.negative.slice()),
    });
    return { loss: (loss!.data as Float32Array)[0]!, gradient: gradient!.data as Float32Array };
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.sessions.values());
    this.sessions.clear();
    for (const one of opened) if (one.status === "fulfilled") await one.value.close();
  }

  /** For runs that are made one at a time. */
  private session(name: string, program: () => Program): Promise<Lanes> {
    return this.lanes(name, program, false);
  }

  private lanes(name: string, program: () => Program, abreast = true): Promise<Lanes> {
    const known = this.sessions.get(name);
    if (known !== undefined) return known;
    const { device, threads } = this.problem;
    const opened = Lanes.open(program(), { device, threads }, abreast);
    this.sessions.set(name, opened);
    return opened;
  }
}
