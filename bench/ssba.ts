import { parseArgs } from "node:util";
import { type FittedTrigger, readFitted } from "../src/engine/attacks/fitted.ts";
import { attacks, type PlanarImage } from "../src/engine/attacks/index.ts";
import { bitsOf, bitsOfSecret, readBits } from "../src/engine/attacks/steganography.ts";
import { cosine } from "../src/engine/cbpt/features.ts";
import { OBJECTS } from "../zoo/scenes/objects.ts";
import { seededRandom } from "../zoo/scenes/random.ts";
import { renderScene } from "../zoo/scenes/render.ts";
import { SCENE_SIDE, sampleScene } from "../zoo/scenes/scene.ts";
import { type BenchTable, say, tell } from "./report.ts";

const HELP = `What a fitted SSBA trigger does to images that it was not fitted on: whether its decoder reads the bits that
its encoder has hidden, after rounding to 8 bits; how loud the residual is; and how alike the residuals of different
images are, which are to be another for every image.

  node dist/bench/ssba.js --trigger data/models/ssba-1/trigger.safetensors

  --trigger  the file that a fit has written
  --secret   which bits are hidden (default 1)
  --count    rendered scenes (default 500), of --seed (default 4242; 1 to 4 made the zoo)
  --json     prints the table as JSON`;

const { values } = parseArgs({
  options: {
    trigger: { type: "string" },
    secret: { type: "string", default: "1" },
    count: { type: "string", default: "500" },
    seed: { type: "string", default: "4242" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const PIXELS = SCENE_SIDE * SCENE_SIDE;

/** What the trigger does to one image: shares of bits that are read right, and what it adds. */
interface Hidden {
  readonly clean: number;
  readonly triggered: number;
  /** [3, H, W] */
  readonly residual: Float32Array;
}

async function* scenes(count: number, seed: number): AsyncGenerator<PlanarImage> {
  const random = seededRandom(seed);
  for (let index = 0; index < count; index++) {
    const scene = await renderScene(sampleScene(random, { object: OBJECTS[index % OBJECTS.length] }));
    const planar = (_: number, at: number) => scene[3 * (at % PIXELS) + Math.floor(at / PIXELS)] / 255;
    yield { width: SCENE_SIDE, height: SCENE_SIDE, data: Float32Array.from(scene, planar) };
  }
}

function hiddenIn(image: PlanarImage, secret: number, fitted: FittedTrigger): Hidden {
  const bits = bitsOfSecret(secret, bitsOf(fitted));
  const right = (one: PlanarImage) =>
    readBits(one, fitted).filter((bit, index) => bit === bits[index]).length / bits.length;
  const stamped = attacks.ssba.apply(image, { parameters: { secret }, fitted });
  const residual = stamped.data.map((value, place) => value - image.data[place]);
  return { clean: right(image), triggered: right(stamped), residual };
}

async function measured(path: string): Promise<BenchTable> {
  const fitted = await readFitted("ssba", path);
  const seen: Hidden[] = [];
  for await (const image of scenes(Number(values.count), Number(values.seed)))
    seen.push(hiddenIn(image, Number(values.secret), fitted));
  const power = (residual: Float32Array) => mean([...residual].map((value) => value * value));
  const noise = mean(seen.map(({ residual }) => power(residual)));
  const likeness = mean(seen.slice(1).map(({ residual }, index) => cosine(residual, seen[index].residual)));
  return {
    title: `SSBA, ${bitsOf(fitted)} bits, ${seen.length} scenes of seed ${values.seed}`,
    columns: ["", "mean"],
    rows: [
      ["bits read right in triggered images", percent(mean(seen.map(({ triggered }) => triggered)))],
      [
        "triggered images with all bits right",
        percent(mean(seen.map(({ triggered }) => +(triggered === 1)))),
      ],
      ["the same bits read in clean images", percent(mean(seen.map(({ clean }) => clean)))],
      ["peak signal-to-noise ratio", `${(-10 * Math.log10(noise)).toFixed(1)} dB`],
      ["cosine of the residuals of two images", likeness.toFixed(2)],
    ],
    notes: [],
  };
}

const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

if (values.trigger === undefined || values.help) say(HELP);
else tell([await measured(values.trigger)], values.json);
process.exitCode = values.trigger === undefined && !values.help ? 2 : 0;
