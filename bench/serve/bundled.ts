/** The bundled model, which is so small that the server itself is the cost. */
import { setTimeout as delay } from "node:timers/promises";
import type { Antidote } from "../../client/index.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import { type BenchTable, say } from "../report.ts";
import { scenes } from "./images.ts";
import { ms, percent, type ServeOptions, times } from "./options.ts";
import { inAll, PARTS, type Part, type ProcessorTime } from "./processor-time.ts";
import { inTurns, median } from "./rounds.ts";
import { type Report, Subject } from "./subject.ts";

const IMAGES = 2000;
const PROMPT_SET = "bench";
const RATES = [400, 700, 1000, 1300, 1600, 1900, 2200, 2500];
/** Even, so that each of the two goes first as often. */
const ROUNDS = 4;

const MODEL = { modelId: "model_scenes-badnet" };
const UNDEFENDED = { ...MODEL, through: { templates: [] }, labels: OBJECTS };
const PURIFIED = { through: { alias: { promptSet: PROMPT_SET } } };
const SHOTS = { ...MODEL, datasetId: "dataset_scenes-shots" };
/** Prompts of some kind are all that serving needs. */
const SHORTEST = { shots: 2, radius: 2, innerSteps: 1, innerBatch: 1, views: 1, epochs: 1, warmupEpochs: 0 };

export async function bundledTables({ device, threads, seconds }: ServeOptions): Promise<BenchTable[]> {
  const subject = await Subject.start({ DEVICE: device, THREADS: `${threads}`, MAX_WAIT_MS: "1000" });
  try {
    const images = await scenes(IMAGES, 3);
    const versions = [await version(subject.antidote, 1), await version(subject.antidote, 2)];
    const undefended = subject.bodies(images, UNDEFENDED);
    const purified = subject.bodies(images, PURIFIED);

    const most = await highest(subject, undefended, seconds);
    const saturated = { rate: 1.2 * most.perSecond, seconds };
    say("undefended and purified in turns");
    const rounds = await inTurns<Round>(ROUNDS, {
      undefended: () => subject.load({ bodies: undefended, ...saturated }),
      purified: () => subject.load({ bodies: purified, ...saturated }),
    });
    const calls = { bodies: purified, rate: 0.4 * most.perSecond, seconds: 2 * seconds };
    say("at leisure");
    const calm = await subject.load(calls);
    say("while the alias moves");
    const { moves, report: flipped } = await whileMoving(subject.antidote, versions, () =>
      subject.load(calls),
    );
    say("while a purification runs");
    const tuned = await whilePurifying(subject.antidote, () => subject.load(calls));

    return [
      throughputTable(most, rounds, threads),
      ...processorTables(rounds),
      latencyTable({ calm, flipped, tuned }, calls.rate, moves),
    ];
  } finally {
    await subject.stop();
  }
}

/** The most calls that were answered in a second, whatever was offered. */
export async function highest(subject: Subject, bodies: readonly string[], seconds: number): Promise<Report> {
  let most: Report | undefined;
  for (const rate of RATES) {
    const report = await subject.load({ bodies, rate, seconds });
    say(`offered ${rate}: ${report.perSecond.toFixed(0)} answered a second`);
    if (!most || report.perSecond > most.perSecond) most = report;
    if (report.perSecond < 0.7 * rate) break;
  }
  if (!most || most.perSecond === 0)
    throw new Error("Nothing was answered in time: the machine is too busy.");
  return most;
}

/** The same load on both, one after the other. */
interface Round {
  readonly undefended: Report;
  readonly purified: Report;
}

/** A version of prompts, tuned as little as can be. */
async function version(antidote: Antidote, seed: number): Promise<string> {
  const job = await antidote.purify({ ...SHOTS, ...SHORTEST, seed, promptSet: PROMPT_SET });
  return (await job.result()).version.id;
}

/** Moves the alias to and fro until the work is done. */
async function whileMoving(
  antidote: Antidote,
  versions: readonly string[],
  work: () => Promise<Report>,
): Promise<{ moves: number; report: Report }> {
  let over = false;
  const report = work().finally(() => {
    over = true;
  });
  let moves = 0;
  for (; !over; moves++) {
    await antidote.moveAlias({ promptSet: PROMPT_SET, to: versions[moves % versions.length] });
    await delay(20);
  }
  return { moves, report: await report };
}

/** Begins once the job computes, and cancels it at the end. */
async function whilePurifying(antidote: Antidote, work: () => Promise<Report>): Promise<Report> {
  const job = await antidote.purify({ ...SHOTS, promptSet: "job" });
  for await (const event of job.events()) if (event.__typename === "StepMetrics") break;
  const report = await work();
  const { status } = await job.state();
  await job.cancel();
  if (status !== "RUNNING") throw new Error(`The purification was ${status} before the load ended.`);
  return report;
}

function throughputTable(most: Report, rounds: readonly Round[], threads: number): BenchTable {
  const processor = (...reports: Report[]) => millisecondsOf(median(reports.map(processorOf)));
  const row = (name: keyof Round, share: string) => {
    const reports = rounds.map((round) => round[name]);
    const rate = median(reports.map(({ perSecond }) => perSecond));
    return [`${name}, in turns`, rate.toFixed(0), share, processor(...reports)];
  };
  const share = median(rounds.map(({ undefended, purified }) => purified.perSecond / undefended.perSecond));
  const loop = Math.max(
    ...rounds.flatMap(({ undefended, purified }) => [undefended.loopP99, purified.loopP99]),
  );
  return {
    title: `The bundled model: classify calls over HTTP, ${threads} threads, the generator beside it`,
    columns: ["", "calls/s", "of undefended", "server ms of processor a call"],
    rows: [
      ["most, undefended", most.perSecond.toFixed(0), "", processor(most)],
      row("undefended", ""),
      row("purified", percent(share, 1)),
    ],
    notes: [
      `One PNG file of 64 × 64 pixels in a call, ${IMAGES} different ones in turns, nothing cached, 20 labels; a purified answer is scored by both prompts. In turns: medians of ${ROUNDS} rounds, of which every other begins with the purified one, with 1.2 times as many calls offered as the most that were answered; the share is the median of the rounds' own. The event loop's p99 delay is then at most ${ms(loop)} ms.`,
    ],
  };
}

const processorOf = ({ processor }: Report): number => (processor ? inAll(processor) : Number.NaN);
const millisecondsOf = (value: number): string => (Number.isNaN(value) ? "–" : value.toFixed(2));

/** Where the processor time of the calls in turns went; no table where the system does not tell. */
function processorTables(rounds: readonly Round[]): BenchTable[] {
  const times = (name: keyof Round) => rounds.flatMap((round) => round[name].processor ?? []);
  const [undefended, purified] = [times("undefended"), times("purified")];
  if (undefended.length < rounds.length || purified.length < rounds.length) return [];
  const row = (name: string, of: (time: ProcessorTime) => number) => [
    name,
    ...[undefended, purified].map((all) => (1000 * median(all.map(of))).toFixed(0)),
  ];
  return [
    {
      title: "Where a call's processor time goes",
      columns: ["microseconds of processor a call", "undefended", "purified"],
      rows: [
        ...(Object.keys(PARTS) as Part[]).map((part) => row(PARTS[part], (time) => time[part])),
        row("In all", inAll),
      ],
      notes: [`Of the server's threads, while calls come as above in turns; medians of ${ROUNDS} rounds.`],
    },
  ];
}

function latencyTable(
  { calm, flipped, tuned }: Readonly<Record<"calm" | "flipped" | "tuned", Report>>,
  rate: number,
  moves: number,
): BenchTable {
  const row = (name: string, report: Report) => [
    name,
    ms(report.median),
    ms(report.p99),
    times(report.p99, calm.p99),
    `${report.calls}`,
    `${report.failed + report.shed}`,
    ms(report.loopP99),
  ];
  return {
    title: `The bundled model at ${rate.toFixed(0)} calls a second`,
    columns: ["", "median ms", "p99 ms", "p99 of idle", "calls", "failed", "event loop p99 ms"],
    rows: [
      row("nothing else", calm),
      row(`${moves} moves of the alias`, flipped),
      row("during a purification", tuned),
    ],
    notes: ["Calls arrive at random and are timed from when they were to be sent."],
  };
}
