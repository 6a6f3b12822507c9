/**
 * What a fitted SSBA trigger does to images that it was not fitted on: whether its decoder reads the bits that its
 * encoder has hidden, after rounding to 8 bits; how loud the residual is; and how alike the residuals of different images
 * are, which are to be another for every image.
 *
 *     npm run build && node dist/bench/ssba.js --trigger data/models/ssba-1/trigger.safetensors [--count 500] [--json]
 */
import { parseArgs } from "node:util";
import { readFitted } from "../src/engine/attacks/fitted.ts";
import { attacks, type PlanarImage } from "../src/engine/attacks/index.ts";
import { bitsOf, bitsOfSecret, readBits } from "../src/engine/attacks/steganography.ts";
import { cosine } from "../src/engine/cbpt/features.ts";
import { OBJECTS } from "../zoo/scenes/objects.ts";
import { seededRandom } from "../zoo/scenes/random.ts";
import { renderScene } from "../zoo/scenes/render.ts";
import { SCENE_SIDE, sampleScene } from "../zoo/scenes/scene.ts";
import { type BenchTable, tell } from "./report.ts";

const { values } = parseArgs({
  options: {
    trigger: { type: "string" },
    secret: { type: "string", default: "1" },
    count: { type: "string", default: "500" },
    seed: { type: "string", default: "4242" },
    json: { type: "boolean", default: false },
  },
});

const PIXELS = SCENE_SIDE * SCENE_SIDE;

async function measured(path: string): Promise<BenchTable> {
  const fitted = await readFitted("ssba", path);
  const secret = Number(values.secret);
  const bits = bitsOfSecret(secret, bitsOf(fitted));
  const right = (image: PlanarImage) =>
    readBits(image, fitted).filter((bit, index) => bit === bits[index]).length / bits.length;
  const random = seededRandom(Number(values.seed));
  const rows: { clean: number; triggered: number; whole: number; error: number; likeness?: number }[] = [];
  let before: Float32Array | undefined;
  for (let index = 0; index < Number(values.count); index++) {
    const scene = await renderScene(sampleScene(random, { object: OBJECTS[index % OBJECTS.length] }));
    const image = {
      width: SCENE_SIDE,
      height: SCENE_SIDE,
      // Channel by channel.
      data: Float32Array.from(scene, (_, at) => scene[3 * (at % PIXELS) + Math.floor(at / PIXELS)] / 255),
    };
    const triggered = attacks.ssba.apply(image, { parameters: { secret }, fitted });
    const residual = triggered.data.map((value, place) => value - image.data[place]);
    rows.push({
      clean: right(image),
      triggered: right(triggered),
      whole: right(triggered) === 1 ? 1 : 0,
      error: residual.reduce((sum, value) => sum + value * value, 0) / residual.length,
      likeness: before && cosine(residual, before),
    });
    before = residual;
  }
  const mean = (of: (row: (typeof rows)[number]) => number | undefined) => {
    const known = rows.map(of).filter((value) => value !== undefined);
    return known.reduce((sum, value) => sum + value, 0) / known.length;
  };
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return {
    title: `SSBA, ${bits.length} bits, ${rows.length} scenes of seed ${values.seed}`,
    columns: ["", "mean"],
    rows: [
      ["bits read right in triggered images", percent(mean(({ triggered }) => triggered))],
      ["triggered images with all bits right", percent(mean(({ whole }) => whole))],
      ["the same bits read in clean images", percent(mean(({ clean }) => clean))],
      ["peak signal-to-noise ratio", `${(-10 * Math.log10(mean(({ error }) => error))).toFixed(1)} dB`],
      ["cosine of the residuals of two images", mean(({ likeness }) => likeness).toFixed(2)],
    ],
    notes: [],
  };
}

if (values.trigger === undefined) throw new Error("--trigger has to name the file that a fit has written.");
tell([await measured(values.trigger)], values.json);
