export type Filter = "bicubic" | "bilinear";

/** For each output position in a range: the first input position it reads, and a fixed-point weight for each. */
export interface Taps {
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** `stride` weights for each output position, the unused ones zero. */
  readonly weights: Int32Array;
  readonly stride: number;
  /** The input positions that are read at all: from `begin` to before `end`. */
  readonly begin: number;
  readonly end: number;
  /** Whether each position takes one pixel as it is. */
  readonly isCopy: boolean;
}

/** Weights are multiples of 2⁻²²: eight bits of pixel and two of overshoot fill the rest of a 32-bit word. */
const PRECISION_BITS = 32 - 8 - 2;

/** Bytes of the sides' taps that are kept, by what they depend on: those of some hundred photographs' sides. */
const MOST_KEPT_BYTES = 4 * 1024 * 1024;
/** Of an entry beside its taps. */
const ENTRY_BYTES = 512;
const kept = new Map<string, Taps>();
let keptBytes = 0;

const FILTERS: Readonly<Record<Filter, { support: number; value: (x: number) => number }>> = {
  // The triangle: 1 − |x|.
  bilinear: { support: 1, value: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, value: cubic },
};

/** Keys' cubic convolution kernel with a = −1/2 (IEEE Trans. ASSP 29, 1981). */
function cubic(x: number): number {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * a;
  return 0;
}

/** Making them takes longer than decoding a small image, and images often have the size of one before. */
export function knownTaps(...sides: Parameters<typeof taps>): Taps {
  const key = sides.join();
  const found = kept.get(key) ?? taps(...sides);
  forget(key);
  if (bytesOf(found) > MOST_KEPT_BYTES) return found;
  kept.set(key, found);
  keptBytes += bytesOf(found);
  for (const oldest of kept.keys()) {
    if (keptBytes <= MOST_KEPT_BYTES) break;
    forget(oldest);
  }
  return found;
}

function forget(key: string): void {
  const known = kept.get(key);
  if (kept.delete(key)) keptBytes -= bytesOf(known!);
}

function bytesOf({ first, count, weights }: Taps): number {
  return ENTRY_BYTES + first.byteLength + count.byteLength + weights.byteLength;
}

function taps(inputSize: number, outputSize: number, start: number, length: number, filter: Filter): Taps {
  const { support, value } = FILTERS[filter];
  const scale = inputSize / outputSize;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  const stride = Math.min(Math.ceil(reach) * 2 + 1, inputSize);
  const firsts = new Int32Array(length);
  const counts = new Int32Array(length);
  const weightsOfAll = new Int32Array(length * stride);
  for (let index = 0; index < length; index++) {
    const centre = (start + index + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const count = Math.min(inputSize, Math.trunc(centre + reach + 0.5)) - first;
    const weights = Array.from({ length: count }, (_, tap) =>
      value((tap + first - centre + 0.5) * (1 / stretch)),
    );
    const fixed = fixedPoint(weights);
    // Pixels whose weight is zero need not be read; where nothing is enlarged or shrunk, one is left.
    const begin = Math.max(
      0,
      fixed.findIndex((weight) => weight !== 0),
    );
    const end = 1 + fixed.findLastIndex((weight) => weight !== 0);
    firsts[index] = first + begin;
    counts[index] = end - begin;
    weightsOfAll.set(fixed.slice(begin, end), index * stride);
  }
  return {
    first: firsts,
    count: counts,
    weights: weightsOfAll,
    stride,
    begin: Math.min(...firsts),
    end: Math.max(...firsts.map((first, index) => first + counts[index]!)),
    isCopy: counts.every((count) => count === 1),
  };
}

/** Weights that add up to one, in fixed point, rounded half away from zero. */
function fixedPoint(weights: readonly number[]): number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => {
    const scaled = (sum === 0 ? weight : weight / sum) * (1 << PRECISION_BITS);
    return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
  });
}
