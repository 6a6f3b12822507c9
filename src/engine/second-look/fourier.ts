/** Complex numbers: their real and their imaginary parts. */
export interface Complex {
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
}

/**
 * The discrete Fourier transform of a plane [height, width], in place; backwards it undoes itself. Of any size, fastest
 * where the sides have small prime factors (Cooley and Tukey 1965; our own since packages transform powers of two only).
 */
export function transform(plane: Complex, height: number, width: number, direction: 1 | -1): void {
  const [along, down] = [lineTransform(width, direction), lineTransform(height, direction)];
  for (let row = 0; row < height; row++) along(plane, row * width, 1);
  for (let column = 0; column < width; column++) down(plane, column, width);
  if (direction === 1) return;
  for (const part of [plane.real, plane.imaginary])
    for (let at = 0; at < part.length; at++) part[at] /= height * width;
}

/** Transforms a line of so many numbers that lie `step` apart. */
function lineTransform(length: number, direction: 1 | -1) {
  const turns = complex(length);
  for (let at = 0; at < length; at++) {
    turns.real[at] = Math.cos((2 * Math.PI * at) / length);
    turns.imaginary[at] = -direction * Math.sin((2 * Math.PI * at) / length);
  }
  const factors = primeFactors(length);
  const [line, summands] = [complex(length), complex(Math.max(1, ...factors))];

  /** Every `step`th number of `from` at `start`, `count` of them, transformed into `line` at `to`. */
  const transformed = (
    from: Complex,
    start: number,
    step: number,
    to: number,
    count: number,
    stage: number,
  ): void => {
    if (count === 1) {
      line.real[to] = from.real[start];
      line.imaginary[to] = from.imaginary[start];
      return;
    }
    const factor = factors[stage];
    const part = count / factor;
    for (let index = 0; index < factor; index++)
      transformed(from, start + index * step, step * factor, to + index * part, part, stage + 1);
    for (let place = to; place < to + part; place++) combine(place, place - to, part, factor, count);
  };

  /** What parts of a transform make together, at one place in each of them. */
  const combine = (place: number, at: number, part: number, factor: number, count: number): void => {
    for (let index = 0; index < factor; index++) {
      summands.real[index] = line.real[place + index * part];
      summands.imaginary[index] = line.imaginary[place + index * part];
    }
    const stride = length / count;
    for (let output = 0; output < factor; output++) {
      const step = stride * (at + output * part);
      let [real, imaginary] = [summands.real[0], summands.imaginary[0]];
      for (let index = 1, turn = step; index < factor; index++, turn += step) {
        turn %= length;
        real += summands.real[index] * turns.real[turn] - summands.imaginary[index] * turns.imaginary[turn];
        imaginary +=
          summands.real[index] * turns.imaginary[turn] + summands.imaginary[index] * turns.real[turn];
      }
      line.real[place + output * part] = real;
      line.imaginary[place + output * part] = imaginary;
    }
  };

  return (plane: Complex, start: number, step: number): void => {
    transformed(plane, start, step, 0, length, 0);
    for (let at = 0; at < length; at++) {
      plane.real[start + at * step] = line.real[at];
      plane.imaginary[start + at * step] = line.imaginary[at];
    }
  };
}

export const complex = (length: number): Complex => ({
  real: new Float64Array(length),
  imaginary: new Float64Array(length),
});

function primeFactors(number: number): number[] {
  const factors: number[] = [];
  for (let rest = number, factor = 2; rest > 1; factor++)
    for (; rest % factor === 0; rest /= factor) factors.push(factor);
  return factors;
}
