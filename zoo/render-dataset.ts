import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { renderDataset } from "./scenes/dataset.ts";
import { progress } from "./scenes/progress.ts";
import { wholeNumber } from "./scenes/whole-number.ts";

const HELP = `Renders scenes with captions into a folder that zoo/training reads.

  node dist/zoo/render-dataset.js --count 24000 --seed 1 --out DIR

  --count     how many scenes (default 24000)
  --seed      the same seed gives the same bytes (default 1)
  --captions  how many captions for each scene (default 4)
  --out       the folder, made if absent

Writes images.bin (uint8, count × 64 × 64 × 3), captions.json (a list of captions for each
scene), objects.json (the object of each scene) and dataset.json (sizes, classes, templates).`;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "24000" },
    seed: { type: "string", default: "1" },
    captions: { type: "string", default: "4" },
    out: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (values.help || values.out === undefined) {
  console.log(HELP);
  process.exit(values.help ? 0 : 2);
}
const count = wholeNumber("--count", values.count);
await renderDataset(
  values.out,
  { count, seed: wholeNumber("--seed", values.seed), captions: wholeNumber("--captions", values.captions) },
  availableParallelism(),
  progress("rendered", count, 1000),
);
