import type { Random } from "../../src/engine/random.ts";

/** Where formats keep what they say about themselves. */
const EDGE = 512;
const EXTREMES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff];

/** A few changes of kinds that break parsers: flipped bits, extreme numbers, pieces lost, doubled, moved or cut off. */
export function mutateBytes(source: Uint8Array, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(source);
  for (let changes = 1 + random.below(4); changes > 0; changes--) bytes = changed(bytes, random);
  return bytes;
}

function changed(bytes: Buffer, random: Random): Buffer {
  const at = position(bytes.length, random);
  const length = 1 + random.below(random.below(4) === 0 ? 4096 : 16);
  const [before, piece, after] = [
    bytes.subarray(0, at),
    bytes.subarray(at, at + length),
    bytes.subarray(at + length),
  ];
  switch (random.below(7)) {
    case 0:
      if (bytes.length > 0) bytes[at] ^= 1 << random.below(8);
      return bytes;
    case 1: {
      const number = Buffer.alloc(8);
      number.writeUInt32LE(EXTREMES[random.below(EXTREMES.length)]);
      const width = [1, 2, 4, 8][random.below(4)];
      return Buffer.concat([before, number.subarray(0, width), bytes.subarray(at + width)]);
    }
    case 2:
      return Buffer.concat([before, after]);
    case 3:
      return Buffer.concat([before, piece, piece, after]);
    case 4:
      return Buffer.concat([before, noise(length, random), bytes.subarray(at)]);
    case 5:
      return Buffer.concat([before, noise(piece.length, random), after]);
    default:
      return Buffer.from(before);
  }
}

/** Half of the time near the beginning or the end. */
function position(length: number, random: Random): number {
  if (length <= EDGE || random.below(2) === 0) return random.below(Math.max(1, length));
  return random.below(2) === 0 ? random.below(EDGE) : length - 1 - random.below(EDGE);
}

const noise = (length: number, random: Random): Buffer =>
  Buffer.from(Uint8Array.from({ length }, () => random.below(256)));

/** Words that parsers take for something. */
const WORDS = [
  "{",
  "}",
  "(",
  ")",
  "[",
  "]",
  "...",
  "$",
  "@skip(if: true)",
  "fragment F on Query { ...F }",
  "...F",
  '"',
  '"""',
  "null",
  "-1",
  "1e999",
  "99999999999999999999",
  "__schema",
  "__type",
  "__proto__",
  "constructor",
  "\\u0000",
  "\u{1F600}",
  "\ud800",
  "subscription",
  "mutation",
  "first: 1000000",
  "ids: []",
  'id: "job_x"',
  "a: classify",
  ",",
  ":",
  "\r\n",
  "--",
];

/** The same of text: words of the grammar put in, pieces lost, doubled and nested. */
export function mutateText(source: string, random: Random): string {
  let text = source;
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    const at = random.below(text.length + 1);
    const end = at + 1 + random.below(24);
    const [before, piece, after] = [text.slice(0, at), text.slice(at, end), text.slice(end)];
    const word = WORDS[random.below(WORDS.length)];
    const variants = [
      () => before + word + text.slice(at),
      () => before + word + after,
      () => before + after,
      () => before + piece.repeat(1 + random.below(200)) + after,
      () => before + String.fromCharCode(random.below(random.below(2) === 0 ? 128 : 0x10000)) + after,
      () => before,
    ];
    text = variants[random.below(variants.length)]();
  }
  return text;
}
