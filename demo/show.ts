import { Presets, SingleBar } from "cli-progress";
import Table from "cli-table3";
import { type Count, type Rate, rate } from "../src/engine/evaluation/rate.ts";
import type { Result } from "./measure.ts";

/** Progress and prose go to stderr, so that `--json` leaves stdout to its one line. */
export const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Runs the work under a bar with the time left; `advance` takes how much of `total` is done. */
export async function withBar<Value>(
  label: string,
  total: number,
  work: (advance: (done: number, note?: string) => void) => Promise<Value>,
): Promise<Value> {
  const bar = new SingleBar(
    {
      format: `${label.padEnd(24)} {bar} {percentage} %  {duration_formatted}, {eta_formatted} left  {note}`,
      hideCursor: true,
      noTTYOutput: !process.stderr.isTTY,
      notTTYSchedule: 10_000,
      etaBuffer: 20,
    },
    Presets.rect,
  );
  bar.start(total, 0, { note: "" });
  try {
    const value = await work((done, note = "") => bar.update(done, { note }));
    bar.update(total, { note: "" });
    return value;
  } finally {
    bar.stop();
  }
}

/** The rates that the story is about: in words, and by the names of the JSON line. */
export const RATES = [
  ["clean accuracy", "ca"],
  ["attack success", "asr"],
  ["target recall", "targetRecall"],
  ["true label under trigger", "trueLabelAccuracy"],
] as const;

export type RateName = (typeof RATES)[number][1];

/** The rate of a measurement; an attack was measured, so all of them are there. */
export const rateOf = ({ measurement }: Result, name: RateName): Rate =>
  rate(measurement[name === "trueLabelAccuracy" ? "trueLabelUnderTrigger" : name] as Count);

/** Before and after, with k of n and the Wilson 95 % interval. */
export function beforeAndAfter(before: Result, after: Result): string {
  const table = new Table({
    head: ["", "before", "", "after", ""],
    colAligns: ["left", "right", "left", "right", "left"],
    style: { head: [], border: [] },
  });
  for (const [words, name] of RATES)
    table.push([words, ...cells(rateOf(before, name)), ...cells(rateOf(after, name))]);
  return table.toString();
}

const percent = (share: number): string => (100 * share).toFixed(2);

const cells = ({ value, k, n, low95, high95 }: Rate): [string, string] => [
  `${percent(value)} %`,
  `${k} of ${n}  [${percent(low95)}, ${percent(high95)}]`,
];
