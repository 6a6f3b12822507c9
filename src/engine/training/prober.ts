import { predictions } from "../cbpt/features.ts";
import type { ClipTokenizer } from "../clip/tokenizer.ts";
import type { TowerModel } from "../clip/towers.ts";
import { averageGroups, fillTemplate } from "../clip/zero-shot.ts";
import { type Measurement, measure } from "../evaluation/protocol.ts";
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
    const prompts = set.labels.flatMap((label) =>
      set.templates.map((template) => model.tokenizer.encode(fillTemplate(template, label))),
    );
    const length = Math.max(...prompts.map((ids) => ids.length));
    const images = await openSession(imagesProgram(model, layout, BATCH), options);
    const texts = await openSession(textsProgram(model, layout, { batch: prompts.length, length }), options);
    return new Prober(model, prompts, set, { images, texts });
  }

  async measure(state: TrainingState): Promise<Measurement> {
    const weights = weightFeeds(state);
    const matrix = await this.classifier(weights);
    const { images, labels, target } = this.set;
    const clean = await this.predict(
      images.map(({ pixels }) => pixels),
      matrix,
      weights,
    );
    const attacked = images.every(({ triggered }) => triggered);
    const triggered =
      attacked &&
      (await this.predict(
        images.map((image) => image.triggered!),
        matrix,
        weights,
      ));
    const outcomes = images.map(({ label }, index) => ({
      label,
      clean: clean[index],
      ...(triggered ? { triggered: triggered[index] } : {}),
    }));
    return measure(outcomes, labels.length, target);
  }

  async close(): Promise<void> {
    await Promise.all([this.sessions.images.close(), this.sessions.texts.close()]);
  }

  /** [C, D] */
  private async classifier(weights: Tensors): Promise<Float32Array> {
    const { text, embeddingWidth } = this.model.architecture;
    const length = Math.max(...this.prompts.map((ids) => ids.length));
    const feeds = captionFeeds(this.prompts, length, text.paddingToken);
    const { embedding } = await this.sessions.texts.run({ ...feeds, ...weights });
    return averageGroups(embedding.data as Float32Array, embeddingWidth, this.set.templates.length);
  }

  private async predict(
    images: readonly Uint8Array[],
    matrix: Float32Array,
    weights: Tensors,
  ): Promise<number[]> {
    const { embeddingWidth, image } = this.model.architecture;
    const shape = [BATCH, 3, image.imageSize.height, image.imageSize.width];
    const result: number[] = [];
    for (let start = 0; start < images.length; start += BATCH) {
      const part = images.slice(start, start + BATCH);
      const data = new Uint8Array(BATCH * images[0]!.length);
      part.forEach((pixels, row) => void data.set(pixels, row * pixels.length));
      const { embedding } = await this.sessions.images.run({
        pixels: { type: "uint8", shape, data },
        ...weights,
      });
      const rows = (embedding.data as Float32Array).subarray(0, part.length * embeddingWidth);
      result.push(...predictions(rows, matrix, embeddingWidth));
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
