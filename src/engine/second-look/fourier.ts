/** Complex numbers: their real and their imaginary parts. */
export interface Complex {
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
}

export const complex = (length: number): Complex => ({
  real: new Float64Array(length),
  imaginary: new Float64Array(length),
});

/**
 * The discrete Fourier transform of a plane [height, width]; backwards (-1) it undoes itself. Of any size, fastest where
 * the sides have small prime factors (Cooley and Tukey 1965). Our own: fft.js takes powers of two only, and
 * ndarray-fft, which takes any size, compiles code from strings and took twice as long for 224 × 224 numbers.
 */
export function transform(plane: Complex, height: number, width: number, direction: 1 | -1): Complex {
  const down = transformRows(plane, height, width, direction);
  const across = transformRows(transposed(down, height, width), width, height, direction);
  const spectrum = transposed(across, width, height);
  if (direction === -1)
    for (const part of [spectrum.real, spectrum.imaginary])
      for (let at = 0; at < part.length; at++) part[at] /= part.length;
  return spectrum;
}

/** Transforms so many rows of `width` numbers into as many sums of them: every column by itself, all at once. */
function transformRows(plane: Complex, rows: number, width: number, direction: 1 | -1): Complex {
  const result = complex(rows * width);
  const factors = primeFactors(rows);
  const summands = complex(width * Math.max(1, ...factors));

  /** Of every `step`th row from `start`, `count` of them; the result lies at row `to`. */
  const sums = (start: number, step: number, to: number, count: number, stage: number): void => {
    if (count === 1) {
      copyRow(plane, start, result, to, width);
      return;
    }
    const factor = factors[stage];
    const part = count / factor;
    for (let index = 0; index < factor; index++)
      sums(start + index * step, step * factor, to + index * part, part, stage + 1);
    for (let place = 0; place < part; place++) {
      for (let index = 0; index < factor; index++)
        copyRow(result, to + place + index * part, summands, index, width);
      for (let output = 0; output < factor; output++) {
        const row = place + output * part;
        copyRow(summands, 0, result, to + row, width);
        for (let index = 1; index < factor; index++)
          addTurned(summands, index, result, to + row, (-direction * row * index) / count, width);
      }
    }
  };
  sums(0, 1, 0, rows, 0);
  return result;
}

function copyRow(from: Complex, source: number, to: Complex, target: number, width: number): void {
  to.real.set(from.real.subarray(source * width, (source + 1) * width), target * width);
  to.imaginary.set(from.imaginary.subarray(source * width, (source + 1) * width), target * width);
}

/** Adds a row, turned by so many rounds. */
function addTurned(
  from: Complex,
  source: number,
  to: Complex,
  target: number,
  rounds: number,
  width: number,
): void {
  const [cosine, sine] = [Math.cos(2 * Math.PI * rounds), Math.sin(2 * Math.PI * rounds)];
  let [at, into] = [source * width, target * width];
  for (const end = at + width; at < end; at++, into++) {
    to.real[into] += from.real[at] * cosine - from.imaginary[at] * sine;
    to.imaginary[into] += from.real[at] * sine + from.imaginary[at] * cosine;
  }
}

function transposed({ real, imaginary }: Complex, height: number, width: number): Complex {
  const result = complex(real.length);
  for (let row = 0, at = 0; row < height; row++)
    for (let column = 0; column < width; column++, at++) {
      result.real[column * height + row] = real[at];
      result.imaginary[column * height + row] = imaginary[at];
    }
  return result;
}

function primeFactors(number: number): number[] {
  const factors: number[] = [];
  for (let rest = number, factor = 2; rest > 1; factor++)
    for (; rest % factor === 0; rest /= factor) factors.push(factor);
  return factors;
}
