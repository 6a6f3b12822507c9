/** Ten times as many calls as can be answered: what is answered is answered in time, the rest is refused at once. */
import { join } from "node:path";
import { vocabularyWords } from "../../zoo/scenes/vocabulary.ts";
import { type BenchTable, say } from "../report.ts";
import { photographs } from "./images.ts";
import { ARCHITECTURES, type ArchitectureName, writeModel } from "./models.ts";
import { ms, percent, type ServeOptions, times } from "./options.ts";
import { inTurns } from "./rounds.ts";
import { pooled, type Report, Subject } from "./subject.ts";

const NAME: ArchitectureName = "vit-b-32";
/** How long an image may be expected to wait: about as long as a batch takes. */
const MAX_WAIT_MS = 100;
const FACTOR = 10;
const SHARE = 0.8;
/** Calls a second; more than a few cores answer. */
const PLENTY = 60;
const IMAGES = 200;
/** Of few calls the slowest hundredth is one or two. */
const ROUNDS = 4;

interface Round {
  readonly normal: Report;
  readonly over: Report;
}

export async function overloadTables({
  device,
  threads,
  seconds,
  folder,
}: ServeOptions): Promise<BenchTable[]> {
  const models = join(folder, "overload");
  await writeModel(models, NAME);
  const images = await photographs(IMAGES, 5);
  const settings = {
    DEVICE: device,
    MODELS_DIR: models,
    THREADS: `${threads}`,
    MAX_WAIT_MS: `${MAX_WAIT_MS}`,
  };
  const subject = await Subject.start(settings);
  try {
    const labels = vocabularyWords().slice(0, 20);
    const bodies = subject.bodies(images, { through: { templates: ["a photo of a {}."] }, labels });
    say("how much it can do");
    // The first calls wait for the model, and nobody knows yet how long a batch takes.
    await subject.load({ bodies, rate: PLENTY, seconds });
    const most = await subject.load({ bodies, rate: PLENTY, seconds: 2 * seconds });
    say(`${SHARE} and ${FACTOR} times as much, in turns`);
    const rounds = await inTurns<Round>(ROUNDS, {
      normal: () => subject.load({ bodies, rate: SHARE * most.perSecond, seconds: 3 * seconds }),
      over: () =>
        subject.load({ bodies, rate: FACTOR * most.perSecond, seconds: 2 * seconds, connections: 1024 }),
    });
    return [tableOf(rounds, most)];
  } finally {
    await subject.stop();
  }
}

function tableOf(rounds: readonly Round[], most: Report): BenchTable {
  const [normal, over] = (["normal", "over"] as const).map((name) =>
    pooled(rounds.map((round) => round[name])),
  );
  const row = (name: string, report: Report) => [
    name,
    `${report.calls}`,
    report.perSecond.toFixed(1),
    percent(report.perSecond, most.perSecond),
    ms(report.median),
    ms(report.p99),
    times(report.p99, normal.p99),
    `${report.shed}`,
    ms(report.shedP99),
    `${report.failed}`,
    ms(report.loopP99),
  ];
  return {
    title: `Overload: ${ARCHITECTURES[NAME].title}, which answers ${most.perSecond.toFixed(1)} calls a second`,
    columns: [
      "",
      "calls",
      "answered/s",
      "of the most",
      "median ms",
      "p99 ms",
      "p99 of normal",
      "refused",
      "refused within (p99) ms",
      "failed",
      "event loop p99 ms",
    ],
    rows: [row(`${SHARE} times`, normal), row(`${FACTOR} times`, over)],
    notes: [
      `MAX_WAIT_MS=${MAX_WAIT_MS}. Refused is OVERLOADED with \`retryAfterMs\`. Photographs as above; the calls of ${ROUNDS} rounds, in turns.`,
    ],
  };
}
