/** The bundled model while somebody sends nothing but triggers: images that are looked at again. */
import { join } from "node:path";
import { encodePlanes, planes } from "../../demo/images.ts";
import { packageRoot } from "../../src/config.ts";
import { triggerOf } from "../../src/engine/attacks/trigger.ts";
import { seededRandom } from "../../zoo/scenes/random.ts";
import { renderScene } from "../../zoo/scenes/render.ts";
import { SCENE_SIDE, sampleScene } from "../../zoo/scenes/scene.ts";
import { type BenchTable, say } from "../report.ts";
import { readSecret } from "../suspect.ts";
import { highest } from "./bundled.ts";
import { CALM_SHARE, ms, percent, type ServeOptions } from "./options.ts";
import { inTurns, median } from "./rounds.ts";
import { type Report, Subject } from "./subject.ts";

const IMAGES = 1000;
const PROMPT_SET = "attacked";
const ROUNDS = 2;
const MODEL = "scenes-badnet";

const ROWS = {
  clean: "clean images",
  triggered: "triggered",
  once: "triggered, without a second look",
  both: "triggered on both sides",
} as const;
type Row = keyof typeof ROWS;
type Reports = Readonly<Record<Row, Report>>;

export async function attackedTables({ device, threads, seconds }: ServeOptions): Promise<BenchTable[]> {
  const subject = await Subject.start({ DEVICE: device, THREADS: `${threads}`, MAX_WAIT_MS: "1000" });
  try {
    say("a purification, for recovery prompts");
    const job = await subject.antidote.purify({
      modelId: `model_${MODEL}`,
      datasetId: "dataset_scenes-shots",
      promptSet: PROMPT_SET,
    });
    await job.result();
    const bodies = await bodiesOf(subject);
    const most = await highest(subject, bodies.clean, seconds);
    const [flood, leisure] = [1.2 * most.perSecond, CALM_SHARE * most.perSecond];
    const floods = await inTurns<Reports>(
      ROUNDS,
      everyRow((row) => {
        say(`a flood: ${ROWS[row]}`);
        return subject.load({ bodies: bodies[row], rate: flood, seconds });
      }),
    );
    const [calm] = await inTurns<Reports>(
      1,
      everyRow((row) => {
        say(`at leisure: ${ROWS[row]}`);
        return subject.load({ bodies: bodies[row], rate: leisure, seconds });
      }),
    );
    return [table({ floods, flood }, { calm, leisure })];
  } finally {
    await subject.stop();
  }
}

const everyRow = (run: (row: Row) => Promise<Report>) => {
  const names = Object.keys(ROWS) as Row[];
  return Object.fromEntries(names.map((row) => [row, () => run(row)])) as Record<Row, () => Promise<Report>>;
};

/** Calls with one image each, of every kind. */
async function bodiesOf(subject: Subject): Promise<Record<Row, string[]>> {
  const secret = await readSecret(join(packageRoot, "zoo", "models", MODEL));
  if (secret === undefined) throw new Error(`${MODEL} has no manifest that tells its trigger.`);
  const { stamp, parameters } = secret.trigger;
  // Its pattern is the same from left to right, so that the mirrored image is triggered too.
  const opposite = triggerOf("badnet", { ...parameters, position: "bottom-left" });
  const random = seededRandom(5);
  const [clean, triggered, both]: Buffer[][] = [[], [], []];
  for (let index = 0; index < IMAGES; index++) {
    const image = planes(await renderScene(sampleScene(random)), SCENE_SIDE, SCENE_SIDE);
    clean.push(await encodePlanes(image));
    triggered.push(await encodePlanes(stamp(image)));
    both.push(await encodePlanes(opposite.stamp(stamp(image))));
  }
  const through = { through: { alias: { promptSet: PROMPT_SET } } };
  return {
    clean: subject.bodies(clean, through),
    triggered: subject.bodies(triggered, through),
    once: subject.bodies(triggered, { ...through, secondLook: false }),
    both: subject.bodies(both, through),
  };
}

function table(
  { floods, flood }: { readonly floods: readonly Reports[]; readonly flood: number },
  { calm, leisure }: { readonly calm: Reports; readonly leisure: number },
): BenchTable {
  const rows = (Object.keys(ROWS) as Row[]).map((row) => {
    const perSecond = median(floods.map((round) => round[row].perSecond));
    const share = median(floods.map((round) => round[row].perSecond / round.clean.perSecond));
    const { median: middle, p99, failed } = calm[row];
    const failures = failed + floods.reduce((sum, round) => sum + round[row].failed, 0);
    return [ROWS[row], perSecond.toFixed(0), percent(share, 1), ms(middle), ms(p99), `${failures}`];
  });
  return {
    title: "The bundled model, purified, while every image is triggered",
    columns: ["", "calls/s", "of clean", "median ms", "p99 ms", "failed"],
    rows,
    notes: [
      `One PNG file in a call, ${IMAGES} different ones in turns, nothing cached. Calls a second: as many as are answered of ${flood.toFixed(0)} that are sent, 1.2 times the most clean ones, medians of ${ROUNDS} rounds. Times: at ${leisure.toFixed(0)} calls a second. An image that both sides of the patch are on is triggered when it is mirrored too, and is looked at in further views; when there is no room for a view, those so far answer, or else the prompts, as at one look.`,
    ],
  };
}
