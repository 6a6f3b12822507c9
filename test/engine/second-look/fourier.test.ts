import { describe, expect, test } from "@jest/globals";
import { type Complex, complex, transform } from "../../../src/engine/second-look/fourier.ts";
import { seededRandom } from "../../../zoo/scenes/random.ts";

function noise(length: number): Complex {
  const random = seededRandom(length);
  const plane = complex(length);
  for (let at = 0; at < length; at++) {
    plane.real[at] = random();
    plane.imaginary[at] = random();
  }
  return plane;
}

/** By its definition: Σ x(r, c) · exp(−2πi (u r / H + v c / W)). */
function bySums({ real, imaginary }: Complex, height: number, width: number): Complex {
  const spectrum = complex(height * width);
  for (let u = 0; u < height; u++)
    for (let v = 0; v < width; v++)
      for (let row = 0; row < height; row++)
        for (let column = 0; column < width; column++) {
          const angle = -2 * Math.PI * ((u * row) / height + (v * column) / width);
          const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
          const at = row * width + column;
          spectrum.real[u * width + v] += real[at] * cosine - imaginary[at] * sine;
          spectrum.imaginary[u * width + v] += real[at] * sine + imaginary[at] * cosine;
        }
  return spectrum;
}

// Powers of two, the sides of CLIPs and their factors, primes, and lines.
const SIZES = [
  [1, 1],
  [1, 7],
  [8, 1],
  [4, 8],
  [6, 10],
  [14, 12],
  [11, 13],
];

describe.each(SIZES)("of %i × %i numbers", (height, width) => {
  test("is the sum that defines it", () => {
    const plane = noise(height * width);
    const [spectrum, expected] = [transform(plane, height, width, 1), bySums(plane, height, width)];
    for (const part of ["real", "imaginary"] as const)
      spectrum[part].forEach((value, at) => {
        expect(value).toBeCloseTo(expected[part][at], 10);
      });
  });

  test("backwards is where it came from", () => {
    const plane = noise(height * width);
    const again = transform(transform(plane, height, width, 1), height, width, -1);
    for (const part of ["real", "imaginary"] as const)
      again[part].forEach((value, at) => {
        expect(value).toBeCloseTo(plane[part][at], 12);
      });
  });
});
