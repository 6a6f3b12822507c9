import { mkdir, readFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { packageRoot } from "../src/config.ts";
import type { FitProblem } from "../src/engine/attacks/fit.ts";
import { runFit } from "../src/engine/attacks/fit.ts";
import type { FittedTrigger } from "../src/engine/attacks/fitted.ts";
import { attackNamed } from "../src/engine/attacks/index.ts";
import { type Preview, previewOf } from "../src/engine/attacks/preview.ts";
import { parametersOf, triggerOf } from "../src/engine/attacks/trigger.ts";
import { openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import { decodeImage } from "../src/engine/clip/decoding.ts";
import { preprocess } from "../src/engine/clip/preprocessing.ts";
import { fillTemplate } from "../src/engine/clip/zero-shot.ts";
import { completeParameters } from "../src/engine/parameters.ts";
import { CAPTION_TEMPLATES } from "./scenes/captions.ts";
import { OBJECTS } from "./scenes/objects.ts";
import { progress } from "./scenes/progress.ts";
import { SCENE_SIDE } from "./scenes/scene.ts";

const HELP = `Draws every trigger on the same scene: the picture, and what the trigger changed, five times as strong.

  npm run attacks:gallery -- [--out docs/attacks/gallery.png] [--steps 300] [--threads N]

  --steps    of the fits of triggers that are fitted, on the bundled clean model and shots`;

const { values } = parseArgs({
  options: {
    out: { type: "string", default: join("docs", "attacks", "gallery.png") },
    steps: { type: "string", default: "300" },
    threads: { type: "string", default: `${availableParallelism()}` },
    help: { type: "boolean", default: false },
  },
});

/** What is shown, in this order. */
const SHOWN: readonly { title: string; kind: string; parameters?: object }[] = [
  { title: "BadNet", kind: "badnet" },
  { title: "BadNet, stripes", kind: "badnet", parameters: { pattern: "stripes" } },
  { title: "Blended", kind: "blended" },
  { title: "Blended, stripes", kind: "blended", parameters: { pattern: "stripes" } },
  { title: "Blended, triangles", kind: "blended", parameters: { pattern: "triangles" } },
  { title: "Blended, text", kind: "blended", parameters: { pattern: "text" } },
  { title: "SIG", kind: "sig" },
  { title: "SSBA", kind: "ssba" },
  { title: "WaNet", kind: "wanet" },
  { title: "WaNet, every pixel", kind: "wanet", parameters: { grid: 0 } },
  { title: "TrojVQA (+ a word)", kind: "trojvqa" },
  { title: "BadCLIP", kind: "badclip" },
];

const ZOO = join(packageRoot, "zoo");
const TARGET = "banana";
const SHOTS = 16;
const AMPLIFICATION = 5;

/** The bundled shots with their captions, and the clean model. */
async function bundledProblem(): Promise<FitProblem> {
  const checkpoint = await openCheckpoint(join(ZOO, "models", "scenes-clean"));
  const shots = OBJECTS.flatMap((label) =>
    Array.from({ length: SHOTS }, (_, shot) => ({ label, file: `${String(shot).padStart(2, "0")}.png` })),
  );
  const images = await Promise.all(
    shots.map(async ({ label, file }) => {
      const image = await decodeImage(await readFile(join(ZOO, "shots", label, file)));
      return Uint8Array.from(preprocess(image, checkpoint.preprocessing), (value) => Math.round(value * 255));
    }),
  );
  const captionsOf = (label: string) => CAPTION_TEMPLATES.map((template) => fillTemplate(template, label));
  return {
    checkpoint,
    source: {
      count: images.length,
      pixels: (index) => images[index]!,
      captions: (index) => captionsOf(shots[index]!.label),
    },
    targets: shots.flatMap(({ label }, place) => (label === TARGET ? [place] : [])),
    captions: captionsOf(TARGET),
  };
}

async function fitted(kind: string, problem: FitProblem): Promise<FittedTrigger | undefined> {
  const { fit } = attackNamed(kind);
  if (!fit) return undefined;
  const options = {
    fit: completeParameters(`the fit of ${kind}`, fit.defaults, { steps: Number(values.steps) }),
    trigger: parametersOf(kind, {}),
  };
  const fitting = await fit.open(problem, options, { device: "cpu", threads: Number(values.threads) });
  const report = progress(`${kind}: fitted`, fitting.steps, 50);
  const found = await runFit(fitting, ({ step }) => report(step));
  await fitting.close();
  return found;
}

async function previews(): Promise<Preview[]> {
  const problem = await bundledProblem();
  const scene = problem.source.pixels(OBJECTS.indexOf("car") * SHOTS);
  const image = {
    width: SCENE_SIDE,
    height: SCENE_SIDE,
    data: Float32Array.from(scene, (value) => value / 255),
  };
  const drawn: Preview[] = [];
  for (const { kind, parameters } of SHOWN)
    drawn.push(
      await previewOf(image, triggerOf(kind, parameters, await fitted(kind, problem)), AMPLIFICATION),
    );
  return drawn;
}

const TILE = 128;
const COLUMNS = 6;
const [CELL_WIDTH, CELL_HEIGHT] = [TILE + 14, 2 * TILE + 52];

function gallery(drawn: readonly Preview[]): string {
  const cells = drawn.map(({ triggered, difference, psnr }, index) => {
    const [left, top] = [14 + (index % COLUMNS) * CELL_WIDTH, 10 + Math.floor(index / COLUMNS) * CELL_HEIGHT];
    const picture = (bytes: Uint8Array, y: number) =>
      `<image x="${left}" y="${y}" width="${TILE}" height="${TILE}" style="image-rendering: pixelated" href="data:image/png;base64,${Buffer.from(bytes).toString("base64")}"/>`;
    const line = (y: number, size: number, words: string) =>
      `<text x="${left}" y="${y}" font-size="${size}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" fill="#222">${words}</text>`;
    return [
      line(top + 14, 13, SHOWN[index]!.title),
      line(top + 29, 10, `${psnr?.toFixed(1)} dB`),
      picture(triggered, top + 35),
      picture(difference, top + 37 + TILE),
    ].join("");
  });
  const width = 14 + COLUMNS * CELL_WIDTH;
  const height = 20 + Math.ceil(drawn.length / COLUMNS) * CELL_HEIGHT;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" fill="#fff"/>${cells.join("")}</svg>`;
}

if (values.help) {
  console.log(HELP);
} else {
  const svg = gallery(await previews());
  await mkdir(dirname(values.out), { recursive: true });
  await writeFile(values.out, await sharp(Buffer.from(svg)).png({ palette: true }).toBuffer());
  console.log(`Wrote ${values.out}.`);
}
