import { AppError } from "../../errors.ts";
import type { ImageSize } from "../clip/architecture.ts";
import { float32 } from "../onnx/tensor.ts";
import { real, type ValuesOf, whole } from "../parameters.ts";
import { randomStream } from "../random.ts";
import { openSession, type Session, type SessionOptions } from "../runtime/session.ts";
import { ADAMW, type AdamW, stepNumbers } from "../training/adamw.ts";
import type { Group } from "../training/layout.ts";
import type { FitProblem, FitState, Fitting } from "./fit.ts";
import type { FittedTrigger } from "./fitted.ts";
import { networkLayout, networkProgram } from "./ssba-program.ts";
import { BLOCK, loudnessOf, signOf } from "./steganography.ts";

/** What can be set about training the networks. */
export const NETWORK_FIT = {
  bits: whole(8, [1, 64], "Bits that a residual carries"),
  steps: whole(1000, [1, 100_000], "Steps of training"),
  pairs: whole(16, [1, 512], "Pairs of images with the same bits in a step"),
  specificity: real(
    0.1,
    [0, 100],
    "Weight of the loss that keeps apart the residuals of different images with the same bits",
  ),
  rate: real(2e-3, [0, 1], "Learning rate"),
  seed: whole(1, [0, 2 ** 31 - 1], "Which first weights, which images and bits"),
} as const;

/** The fit's own, and of the trigger the residual's peak signal-to-noise ratio in decibels. */
type Config = ValuesOf<typeof NETWORK_FIT> & { readonly psnr: number };

/** How much louder residuals are at first, so that the bits are heard at all. */
const FIRST_LOUDNESS = 8;

interface NetworkState extends FitState {
  /** All weights in the order of `networkLayout`, and the moments of their gradients. */
  readonly weights: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
}

const OPTIMISER: AdamW = { ...ADAMW, betas: [0.9, 0.999], weightDecay: 0 };

/** Trains encoder and decoder on the source's images; the model is not looked at, nor is the target. */
export async function openNetworkFit(
  problem: FitProblem,
  config: Config,
  session: SessionOptions,
): Promise<Fitting<NetworkState>> {
  const { imageSize } = problem.checkpoint.architecture.image;
  if (imageSize.height % BLOCK !== 0 || imageSize.width % BLOCK !== 0)
    throw new AppError(
      "UNSUPPORTED_ARCHITECTURE",
      `The encoder is trained on images whose sides are multiples of ${BLOCK}; this model takes ${imageSize.width} × ${imageSize.height}.`,
    );
  const program = networkProgram(
    { ...config, batch: 2 * config.pairs, imageSize, optimiser: OPTIMISER },
    session.device,
  );
  return new NetworkFitting(problem, config, imageSize, await openSession(program, session));
}

class NetworkFitting implements Fitting<NetworkState> {
  readonly steps: number;
  readonly images: number;
  private readonly layout: Group;

  constructor(
    private readonly problem: FitProblem,
    private readonly config: Config,
    private readonly imageSize: ImageSize,
    private readonly session: Session,
  ) {
    this.steps = config.steps;
    this.images = 2 * config.pairs;
    this.layout = networkLayout(config.bits);
  }

  init(): NetworkState {
    const { size, places } = this.layout;
    const weights = new Float32Array(size);
    for (const { name, shape, offset, size: count } of places) {
      if (shape.length === 1) continue;
      // Kaiming's deviation keeps the scale of what passes through.
      const deviation = Math.sqrt(2 / (shape[1]! * 9));
      const random = randomStream(this.config.seed, "steganography", name);
      for (let index = 0; index < count; index++) weights[offset + index] = deviation * random.normal();
    }
    return { step: 0, losses: [], weights, first: new Float32Array(size), second: new Float32Array(size) };
  }

  async step({ step, weights, first, second }: NetworkState): Promise<NetworkState> {
    const { size } = this.layout;
    const flat = (values: Float32Array) => float32([size], values);
    const { stepSize, epsilon } = stepNumbers(OPTIMISER, this.config.rate, step + 1);
    const out = await this.session.run({
      ...this.batch(step),
      weights: flat(weights),
      first: flat(first),
      second: flat(second),
      stepSize: float32([], [stepSize]),
      epsilon: float32([], [epsilon]),
      loudness: float32([], [this.loudness(step)]),
    });
    const number = (name: string) => Number(out[name]!.data[0]);
    const losses = [
      { name: "bits", value: number("bits") },
      { name: "likeness", value: number("likeness") },
      { name: "accuracy", value: number("accuracy") },
    ];
    if (!losses.every(({ value }) => Number.isFinite(value))) throw diverged(step);
    const next = (name: string) => out[`${name}.next`]!.data as Float32Array;
    return { step: step + 1, losses, weights: next("weights"), first: next("first"), second: next("second") };
  }

  finish({ weights }: NetworkState): FittedTrigger {
    return Object.fromEntries(
      this.layout.places.map(({ name, shape, offset, size }) => [
        name,
        { shape, data: weights.slice(offset, offset + size) },
      ]),
    );
  }

  close(): Promise<void> {
    return this.session.close();
  }

  /** Falls by equal factors over the first half of the steps to the wanted one. */
  private loudness(step: number): number {
    const share = Math.max(0, 1 - (2 * step) / this.steps);
    return loudnessOf(this.config.psnr) * FIRST_LOUDNESS ** share;
  }

  private batch(step: number) {
    const { source } = this.problem;
    const { pairs, bits, seed } = this.config;
    const batch = this.images;
    const { height, width } = this.imageSize;
    const random = randomStream(seed, "steganography", step);
    const size = 3 * height * width;
    const pixels = new Uint8Array(batch * size);
    for (let row = 0; row < batch; row++) pixels.set(source.pixels(random.below(source.count)), row * size);
    const half = Array.from({ length: pairs * bits }, () => signOf(random.below(2)));
    return {
      pixels: { type: "uint8", shape: [batch, 3, height, width], data: pixels },
      signs: float32([batch, bits, 1, 1], [...half, ...half]),
    } as const;
  }
}

function diverged(step: number): AppError {
  const message = `Training the encoder fell apart at step ${step + 1}: a loss is no number. Lower the rate.`;
  return new AppError("DIVERGED", message, { step });
}
