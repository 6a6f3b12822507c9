import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { dirname } from "node:path";
import { asMarkdown, asText, type BenchTable } from "../bench/report.ts";
import type { ChaosOptions } from "./options.ts";
import type { Row } from "./part.ts";

const SHOWN = 20;
const HEAD = `# Reliability

\`npm run chaos\` kills processes at work, sends malformed inputs and watches memory. What it saw is below, as it wrote
it itself; \`npm run chaos -- --help\` tells the sizes. What the parts hold against each other:

- **Kills.** A client keeps making datasets, keys, alias moves, audits and purifications while processes are killed
  with \`kill -9\` and started again at seeded random moments. In the end everything acknowledged is there, once; every
  alias is where its history ends, without a gap; every job has the result of an undisturbed run of the same input.
  Files of images are made to look old meanwhile, so that every server that starts removes what no record names:
  those of deleted datasets, and nothing else.
- **Malformed inputs.** Valid ones with seeded changes: flipped bits, extreme numbers, pieces lost, doubled, cut off.
  No process ends; every error has a code, and none is \`INTERNAL\`; no process grows by more than 256 MiB.
- **Memory.** Images that are all different; after a quarter of them the server, whose heap of JavaScript is held to
  150 MB so that garbage does not count, grows by no more than a tenth and 32 MiB.

Elsewhere: ten times the load that can be answered is a part of \`npm run bench -- --only serve\` ([serving](serving.md)).
Every field and argument with another tenant's ids, and the incidents that others had, are part of the test suite
([\`foreign-ids.test.ts\`](../test/resolvers/foreign-ids.test.ts), [\`incidents\`](../test/incidents/README.md)).
`;

const MODES = ["Embedded", "With Redis"] as const;

export function tableOf(rows: readonly Row[], options: ChaosOptions): BenchTable {
  return {
    title: options.redis ? MODES[1] : MODES[0],
    columns: ["What", "How many", "Violations", "Seed", "Of these"],
    rows: rows.map(({ what, count, violations, note = "" }) => [
      what,
      String(count),
      String(violations.length),
      String(options.seed),
      note,
    ]),
    notes: [...violationsOf(rows).slice(0, SHOWN)],
  };
}

export const violationsOf = (rows: readonly Row[]): string[] =>
  rows.flatMap(({ what, violations }) =>
    violations.map((text) => `- ${what}: ${text.replace(/\s+/g, " ").slice(0, 600)}`),
  );

export const inText = (rows: readonly Row[], options: ChaosOptions): string => asText(tableOf(rows, options));

/** Writes this mode's section, and leaves that of the other where there is one. */
export async function writeReport(
  path: string,
  rows: readonly Row[],
  options: ChaosOptions,
  seconds: number,
) {
  const before = await readFile(path, "utf8").catch(() => "");
  const sections = MODES.map((mode, index) =>
    index === Number(options.redis) ? sectionOf(rows, options, seconds) : sectionIn(before, mode),
  );
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${[HEAD, ...sections.filter((section) => section !== "")].join("\n").trimEnd()}\n`);
}

function sectionOf(rows: readonly Row[], options: ChaosOptions, seconds: number): string {
  const { title, ...table } = tableOf(rows, options);
  const date = new Date().toISOString().slice(0, 10);
  const where = `${date}, ${cpus().length} cores, Node ${process.version}, ${seconds.toFixed(0)} s`;
  return [`## ${title}`, "", asMarkdown({ title: `\`${options.command}\` (${where})`, ...table }), ""].join(
    "\n",
  );
}

function sectionIn(text: string, mode: string): string {
  const from = text.indexOf(`## ${mode}\n`);
  if (from < 0) return "";
  const next = text.indexOf("\n## ", from);
  return `${text.slice(from, next < 0 ? undefined : next).trimEnd()}\n`;
}
