/** What a benchmark tells: tables, for people, for `bench/main` and for docs/performance.md. */
import Table from "cli-table3";

export interface BenchTable {
  readonly title: string;
  readonly columns: readonly string[];
  /** The first cell of a row names it. */
  readonly rows: readonly (readonly string[])[];
  /** What a reader has to know to read the numbers. */
  readonly notes: readonly string[];
}

/** Progress goes to stderr, so that stdout holds results only. */
export const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** The results of a benchmark, as text or as one line of JSON. */
export function tell(tables: readonly BenchTable[], json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(tables)}\n` : `${tables.map(asText).join("\n\n")}\n`);
}

export function asText({ title, columns, rows, notes }: BenchTable): string {
  const table = new Table({
    head: [...columns],
    colAligns: columns.map((_, index) => (index === 0 ? "left" : "right")),
    style: { head: [], border: [] },
  });
  table.push(...rows.map((row) => [...row]));
  return [title, table.toString(), ...notes].join("\n");
}

export function asMarkdown({ title, columns, rows, notes }: BenchTable): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = columns.map((_, index) => (index === 0 ? "---" : "---:"));
  return [`**${title}**`, "", ...[columns, rule, ...rows].map(line), "", ...notes].join("\n").trimEnd();
}

/** Fastest and median of some measurements. */
export interface Timing {
  readonly fastest: number;
  readonly median: number;
}

export function timingOf(values: readonly number[]): Timing {
  const sorted = values.toSorted((a, b) => a - b);
  return { fastest: sorted[0], median: sorted[Math.floor(sorted.length / 2)] };
}

export const milliseconds = ({ fastest, median }: Timing): string =>
  `${fastest.toFixed(0)} (${median.toFixed(0)})`;

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`;
