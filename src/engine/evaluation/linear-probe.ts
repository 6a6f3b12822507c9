import { nearestClass, row } from "../cbpt/features.ts";
import { softmax } from "../clip/zero-shot.ts";

/** Labelled embeddings [n, D]. */
export interface LabelledFeatures {
  readonly features: Float32Array;
  readonly labels: readonly number[];
}

const STEPS = 300;
const RATE = 0.05;
const [MOMENTUM, POWER_DECAY] = [0.9, 0.999];
/** Pulls weights to 0: of so many for each image, some fit the noise. */
const DECAY = 1e-3;

/**
 * The class that a linear classifier gives to each of `tested` [n, D] once it is fitted to `seen`: multinomial logistic
 * regression with a bias on standardised features, 300 steps of Adam on all images at once. Text features are
 * a linear classifier of the embedding too, so what it does not find is hardly there for prompts to find.
 */
export function linearPredictions(
  seen: LabelledFeatures,
  tested: Float32Array,
  { width, classes }: { readonly width: number; readonly classes: number },
): number[] {
  const standardise = standardiser(seen.features, width);
  const inputs = standardise(seen.features);
  const weights = new Float32Array(classes * (width + 1));
  const [velocity, power] = [new Float32Array(weights.length), new Float32Array(weights.length)];
  for (let step = 1; step <= STEPS; step++) {
    const slope = gradient(weights, inputs, seen.labels, classes);
    for (let index = 0; index < weights.length; index++) {
      velocity[index] = MOMENTUM * velocity[index] + (1 - MOMENTUM) * slope[index];
      power[index] = POWER_DECAY * power[index] + (1 - POWER_DECAY) * slope[index] ** 2;
      const mean = velocity[index] / (1 - MOMENTUM ** step);
      const deviation = Math.sqrt(power[index] / (1 - POWER_DECAY ** step)) + 1e-8;
      weights[index] -= (RATE * mean) / deviation;
    }
  }
  const outputs = standardise(tested);
  const count = tested.length / width;
  return Array.from({ length: count }, (_, index) => nearestClass(row(outputs, width + 1, index), weights));
}

/** Makes features [n, D] of those with mean 0 and deviation 1 in each place, and a 1 for the bias: [n, D + 1]. */
function standardiser(features: Float32Array, width: number): (features: Float32Array) => Float32Array {
  const [sums, squares] = [new Float64Array(width), new Float64Array(width)];
  features.forEach((value, index) => {
    sums[index % width] += value;
    squares[index % width] += value * value;
  });
  const count = features.length / width;
  const means = sums.map((sum) => sum / count);
  const scales = squares.map((square, place) => 1 / Math.sqrt(square / count - means[place] ** 2 + 1e-12));
  return (given) => {
    const rows = new Float32Array((given.length / width) * (width + 1)).fill(1);
    given.forEach((value, index) => {
      const place = index % width;
      rows[Math.floor(index / width) * (width + 1) + place] = (value - means[place]) * scales[place];
    });
    return rows;
  };
}

/** Of the mean cross-entropy and the decay, by the weights [C, D + 1]. */
function gradient(
  weights: Float32Array,
  inputs: Float32Array,
  labels: readonly number[],
  classes: number,
): Float32Array {
  const width = weights.length / classes;
  const slope = weights.map((value) => DECAY * value);
  labels.forEach((label, index) => {
    const input = row(inputs, width, index);
    const probabilities = softmax(logits(weights, input, classes));
    for (let one = 0; one < classes; one++) {
      const error = (probabilities[one] - (one === label ? 1 : 0)) / labels.length;
      for (let place = 0; place < width; place++) slope[one * width + place] += error * input[place];
    }
  });
  return slope;
}

function logits(weights: Float32Array, input: Float32Array, classes: number): Float32Array {
  const width = input.length;
  return Float32Array.from({ length: classes }, (_, label) => {
    let sum = 0;
    for (let place = 0, at = label * width; place < width; place++, at++) sum += weights[at] * input[place];
    return sum;
  });
}
