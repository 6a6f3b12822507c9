/** Frame headers begin with FFC0 to FFCF, but for three that mean something else. */
const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

/**
 * How many colour components a JPEG has: 1 for grey, 3 for YCbCr or RGB, 4 for CMYK. Undefined where its segments do not
 * simply follow one another up to the frame's header, which a decoder may still understand.
 */
export function jpegComponents(bytes: Uint8Array): number | undefined {
  // Behind the mark of the beginning: FF, a marker, two bytes of length, and so many bytes less two.
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; ) {
    if (isFrame(bytes[at + 1]!)) return bytes[at + 9];
    at += 2 + 256 * bytes[at + 2]! + bytes[at + 3]!;
  }
  return undefined;
}
