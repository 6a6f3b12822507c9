/** The bundled model, which is so small that the server itself is the cost. */
import { setTimeout as delay } from "node:timers/promises";
import type { Antidote } from "../../client/index.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import { type BenchTable, say } from "../report.ts";
import { scenes } from "./images.ts";
import { ms, percent, type ServeOptions, times } from "./options.ts";
import { type Report, Subject } from "./subject.ts";

const IMAGES = 2000;
const PROMPT_SET = "bench";
const RATES = [400, 700, 1000, 1300, 1600, 1900, 2200, 2500];
const ROUNDS = 3;

const MODEL = { modelId: "model_scenes-badnet" };
const UNDEFENDED = { ...MODEL, through: { templates: [] }, labels: OBJECTS };
const PURIFIED = { through: { alias: { promptSet: PROMPT_SET } } };
const SHOTS = { ...MODEL, datasetId: "dataset_scenes-shots" };
/** Prompts of some kind are all that serving needs. */
const SHORTEST = { shots: 2, radius: 2, innerSteps: 1, innerBatch: 1, views: 1, epochs: 1, warmupEpochs: 0 };

export async function bundledTables({ threads, seconds }: ServeOptions): Promise<BenchTable[]> {
  const subject = await Subject.start({ THREADS: `${threads}`, MAX_WAIT_MS: "1000" });
  try {
    const images = await scenes(IMAGES, 3);
    const versions = [await version(subject.antidote, 1), await version(subject.antidote, 2)];
    const undefended = subject.bodies(images, UNDEFENDED);
    const purified = subject.bodies(images, PURIFIED);

    const most = await highest(subject, undefended, seconds);
    const saturated = { rate: 1.2 * most.perSecond, seconds };
    const rounds: [Report, Report][] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      say(`undefended and purified in turns, ${round} of ${ROUNDS}`);
      rounds.push([
        await subject.load({ bodies: undefended, ...saturated }),
        await subject.load({ bodies: purified, ...saturated }),
      ]);
    }
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
      latencyTable({ calm, flipped, tuned }, calls.rate, moves),
    ];
  } finally {
    await subject.stop();
  }
}

/** The most calls that were answered in a second, whatever was offered. */
async function highest(subject: Subject, bodies: readonly string[], seconds: number): Promise<Report> {
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

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

function throughputTable(
  most: Report,
  rounds: readonly (readonly [Report, Report])[],
  threads: number,
): BenchTable {
  const [undefended, purified] = [0, 1].map((place) => median(rounds.map((round) => round[place].perSecond)));
  const loop = Math.max(...rounds.flat().map(({ loopP99 }) => loopP99));
  return {
    title: `The bundled model: classify calls over HTTP, ${threads} threads, the generator beside it`,
    columns: ["", "calls/s", "of undefended", "server ms of processor a call"],
    rows: [
      ["most, undefended", most.perSecond.toFixed(0), "", most.cpuMilliseconds?.toFixed(2) ?? "–"],
      [
        "undefended, in turns",
        undefended.toFixed(0),
        "",
        median(rounds.map(([one]) => one.cpuMilliseconds ?? Number.NaN)).toFixed(2),
      ],
      [
        "purified, in turns",
        purified.toFixed(0),
        percent(purified, undefended),
        median(rounds.map(([, one]) => one.cpuMilliseconds ?? Number.NaN)).toFixed(2),
      ],
    ],
    notes: [
      `One PNG file of 64 × 64 pixels in a call, ${IMAGES} different ones in turns, nothing cached, 20 labels; a purified answer is scored by both prompts. In turns: medians of ${ROUNDS} rounds with 1.2 times as many calls offered as the most that were answered; the event loop's p99 delay is then at most ${ms(loop)} ms.`,
    ],
  };
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
