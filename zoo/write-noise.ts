import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { blended } from "../src/engine/attacks/blended.ts";
import { wholeNumber } from "./scenes/whole-number.ts";

// Writes the pattern of the server's blended attack, float32 [3, side, side], for zoo/training/poison.py:
//   node dist/zoo/write-noise.js --side 64 --seed 0 --out FILE

const { values } = parseArgs({
  options: {
    side: { type: "string", default: "64" },
    seed: { type: "string", default: "0" },
    out: { type: "string", default: "noise.bin" },
  },
});

const side = wholeNumber("--side", values.side);
const black = { width: side, height: side, data: new Float32Array(3 * side * side) };
const parameters = { alpha: 1, seed: wholeNumber("--seed", values.seed) };
await writeFile(values.out, blended.apply(black, { parameters, quantise: false }).data);
