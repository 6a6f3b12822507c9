import type { Shot } from "./problem.ts";

/** A shot that keeps its pixels as bytes, a quarter of their size, and makes them anew whenever they are asked for. */
class ByteShot implements Shot {
  constructor(
    private readonly bytes: Uint8Array,
    readonly label: number,
  ) {}

  get pixels(): Float32Array {
    return floatsOf(this.bytes);
  }
}

/** The shot, as bytes where its pixels are exactly that many 255ths: what images of 8 bits are. */
export function shotOf(pixels: Float32Array, label: number): Shot {
  const bytes = Uint8Array.from(pixels, (value) => Math.round(value * 255));
  const exact = floatsOf(bytes).every((value, index) => value === pixels[index]);
  return exact ? new ByteShot(bytes, label) : { pixels, label };
}

function floatsOf(bytes: Uint8Array): Float32Array {
  const pixels = new Float32Array(bytes.length);
  for (let index = 0; index < bytes.length; index++) pixels[index] = bytes[index]! / 255;
  return pixels;
}
