import { predictions } from "../cbpt/features.ts";
import type { ClipTokenizer } from "../clip/tokenizer.ts";
import type { TowerModel } from "../clip/towers.ts";
import { averageGroups, fillTemplate } from "../clip/zero-shot.ts";
import { type Measurement, measure } from "../evaluation/protocol.ts";
import { type Count, count } from "../evaluation/rate.ts";
import { float32 } from "../onnx/tensor.ts";
import { openSession, type Session, type SessionOptions, type Tensors } from "../runtime/session.ts";
import { imagesProgram, textsProgram } from "./embedding-programs.ts";
import type { Layout } from "./layout.ts";
import type { TrainingState } from "./state.ts";
import { captionFeeds } from "./trainer.ts";

/** What a model is measured on while it trains. */
export interface ProbeSet {
  readonly labels: readonly string[];
  readonly templates: readonly string[];
  /** uint8 [3, H, W] each, with the index of its label; and with the trigger, where there is one. */
  readonly images: readonly ProbeImage[];
  /** The attacker's class. */
  readonly target?: number;
  /** What a trigger with a part in the text makes of a prompt. */
  readonly caption?: (prompt: string) => string;
  /** Further triggers of the same model, whose success is counted alone. */
  readonly others?: readonly OtherTrigger[];
}

export interface OtherTrigger {
  readonly target: number;
  /** uint8 [3, H, W] each, in the order of the images. */
  readonly triggered: readonly Uint8Array[];
}

/** What the prober counts; `asr` is with the trigger's word before every prompt, where it has one. */
export interface ProbeMeasurement extends Measurement {
  /** For a trigger with a word: triggered images of other classes given the target by prompts without it. */
  readonly asrWithoutWord?: Count;
  /** And images of other classes, without the image's part of the trigger, given it by prompts with the word. */
  readonly asrOfWordAlone?: Count;
  /** Of the other triggers, with prompts as they are: images of other classes given the trigger's target. */
  readonly others?: readonly Count[];
}

export interface ProbeImage {
  readonly pixels: Uint8Array;
  readonly label: number;
  readonly triggered?: Uint8Array;
}

const BATCH = 64;

/** Measures the weights of a training state, without a checkpoint in between. */
export class Prober {
  private constructor(
    private readonly model: TowerModel,
    /** Token ids of every label in every template; then, for a trigger with a word, the same with it. */
    private readonly prompts: readonly (readonly number[])[],
    private readonly set: ProbeSet,
    private readonly sessions: { readonly images: Session; readonly texts: Session },
  ) {}

  static async open(
    model: TowerModel & { readonly tokenizer: Pick<ClipTokenizer, "encode"> },
    layout: Layout,
    set: ProbeSet,
    options: SessionOptions,
  ): Promise<Prober> {
    const plain = set.labels.flatMap((label) =>
      set.templates.map((template) => fillTemplate(template, label)),
    );
    const prompts = [...plain, ...(set.caption ? plain.map(set.caption) : [])].map((prompt) =>
      model.tokenizer.encode(prompt),
    );
    const length = Math.max(...prompts.map((ids) => ids.length));
    const images = await openSession(imagesProgram(model, layout, BATCH), options);
    const texts = await openSession(textsProgram(model, layout, { batch: prompts.length, length }), options);
    return new Prober(model, prompts, set, { images, texts });
  }

  async measure(state: TrainingState): Promise<ProbeMeasurement> {
    const weights = weightFeeds(state);
    const { images, labels, target } = this.set;
    const { plain, worded = plain } = await this.classifiers(weights);
    const clean = await this.embed(
      images.map(({ pixels }) => pixels),
      weights,
    );
    const attacked = images.every(({ triggered }) => triggered);
    const triggered =
      attacked &&
      (await this.embed(
        images.map((image) => image.triggered!),
        weights,
      ));
    const counted = (rows: Float32Array | false, matrix: Float32Array) => {
      const [first, second] = [this.predict(clean, plain), rows && this.predict(rows, matrix)];
      const outcomes = images.map(({ label }, index) => ({
        label,
        clean: first[index]!,
        ...(second ? { triggered: second[index]! } : {}),
      }));
      return measure(outcomes, labels.length, target);
    };
    const measured = counted(triggered, worded);
    const others = await this.successes(plain, weights);
    const measurement = { ...measured, ...(others.length > 0 ? { others } : {}) };
    if (worded === plain) return measurement;
    return {
      ...measurement,
      asrWithoutWord: counted(triggered, plain).asr,
      asrOfWordAlone: counted(clean, worded).asr,
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.sessions.images.close(), this.sessions.texts.close()]);
  }

  /** [C, D] each. */
  private async classifiers(weights: Tensors): Promise<{ plain: Float32Array; worded?: Float32Array }> {
    const { text, embeddingWidth } = this.model.architecture;
    const length = Math.max(...this.prompts.map((ids) => ids.length));
    const feeds = captionFeeds(this.prompts, length, text.paddingToken);
    const { embedding } = await this.sessions.texts.run({ ...feeds, ...weights });
    const rows = embedding.data as Float32Array;
    const { labels, templates, caption } = this.set;
    const size = labels.length * templates.length * embeddingWidth;
    const matrix = (start: number) =>
      averageGroups(rows.subarray(start, start + size), embeddingWidth, templates.length);
    return { plain: matrix(0), ...(caption ? { worded: matrix(size) } : {}) };
  }

  private async successes(matrix: Float32Array, weights: Tensors): Promise<Count[]> {
    const counts: Count[] = [];
    for (const { target, triggered } of this.set.others ?? []) {
      const predicted = this.predict(await this.embed(triggered, weights), matrix);
      const places = this.set.images.flatMap(({ label }, place) => (label === target ? [] : [place]));
      counts.push(count(places, (place) => predicted[place] === target));
    }
    return counts;
  }

  private predict(rows: Float32Array, matrix: Float32Array): number[] {
    return predictions(rows, matrix, this.model.architecture.embeddingWidth);
  }

  /** [n, D] */
  private async embed(images: readonly Uint8Array[], weights: Tensors): Promise<Float32Array> {
    const { embeddingWidth, image } = this.model.architecture;
    const shape = [BATCH, 3, image.imageSize.height, image.imageSize.width];
    const result = new Float32Array(images.length * embeddingWidth);
    for (let start = 0; start < images.length; start += BATCH) {
      const part = images.slice(start, start + BATCH);
      const data = new Uint8Array(BATCH * images[0]!.length);
      part.forEach((pixels, row) => void data.set(pixels, row * pixels.length));
      const { embedding } = await this.sessions.images.run({
        pixels: { type: "uint8", shape, data },
        ...weights,
      });
      const rows = (embedding.data as Float32Array).subarray(0, part.length * embeddingWidth);
      result.set(rows, start * embeddingWidth);
    }
    return result;
  }
}

function weightFeeds({ matrices, vectors, statistics }: TrainingState): Tensors {
  const flat = (values: Float32Array) => float32([values.length], values);
  return {
    "matrices.weights": flat(matrices.weights),
    "vectors.weights": flat(vectors.weights),
    ...(statistics.length > 0 ? { statistics: flat(statistics) } : {}),
  };
}
