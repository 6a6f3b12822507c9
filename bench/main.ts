/**
 * All benchmarks one after the other, each in a process of its own: `npm run bench -- --help`.
 */
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageRoot } from "../src/config.ts";
import { asMarkdown, asText, type BenchTable, say } from "./report.ts";

const HELP = `Measures how fast Antidote is on this machine; leave it alone meanwhile.

  npm run bench -- [--only gradient,memory] [--quick] [--write] [--json]

  --only    some of: NAMES
  --quick   fewer rounds
  --write   puts the tables into docs/performance.md, those of "serve" into docs/serving.md
  --json    one line of JSON in place of the tables

PYTHON names an interpreter with torch and open_clip to be compared with; without it there is no such column.`;

interface Benchmark {
  readonly name: string;
  /** About how long it takes on two cores, and when it is quick; for the time left. */
  readonly seconds: readonly [whole: number, quick: number];
  readonly quick: readonly string[];
  /** Where its tables go; docs/performance.md when absent. */
  readonly document?: string;
}

const DOCUMENT = "docs/performance.md";
const BENCHMARKS: readonly Benchmark[] = [
  { name: "gradient", seconds: [240, 60], quick: ["--rounds", "2", "--threads", "1"] },
  { name: "inner-loop", seconds: [60, 35], quick: ["--rounds", "2"] },
  { name: "memory", seconds: [40, 40], quick: [] },
  { name: "open-checkpoint", seconds: [25, 8], quick: ["--rounds", "1"] },
  { name: "serve", seconds: [1800, 700], quick: ["--seconds", "3"], document: "docs/serving.md" },
];

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

interface Outcome {
  readonly name: string;
  readonly tables: readonly BenchTable[];
}

const names = BENCHMARKS.map(({ name }) => name);
const wanted = values.only?.split(",") ?? names;
const unknown = wanted.filter((name) => !names.includes(name));
if (values.help) console.log(HELP.replace("NAMES", names.join(", ")));
else if (unknown.length > 0) {
  say(`There is no benchmark "${unknown[0]}"; there are ${names.join(", ")}.`);
  process.exitCode = 2;
} else await main(BENCHMARKS.filter(({ name }) => wanted.includes(name)));

async function main(benchmarks: readonly Benchmark[]): Promise<void> {
  const outcomes: Outcome[] = [];
  const expected = ({ seconds }: Benchmark) => seconds[values.quick ? 1 : 0];
  const sum = (list: readonly Benchmark[]) => list.reduce((total, one) => total + expected(one), 0);
  const begin = performance.now();
  for (const [index, benchmark] of benchmarks.entries()) {
    const spent = (performance.now() - begin) / 1000;
    // A slower machine is slower at all of them.
    const pace = index === 0 ? 1 : spent / sum(benchmarks.slice(0, index));
    const left = Math.ceil((pace * sum(benchmarks.slice(index))) / 60);
    say(`[${index + 1}/${benchmarks.length}] ${benchmark.name}; about ${left} min left`);
    const tables = await run(benchmark);
    outcomes.push({ name: benchmark.name, tables });
    if (!values.json) console.log(`${tables.map(asText).join("\n\n")}\n`);
  }
  if (values.json) console.log(JSON.stringify({ machine: await machine(), outcomes }));
  if (values.write) await writeDocuments(outcomes);
}

/** The tables that a benchmark's process tells as JSON; its progress goes where ours does. */
function run({ name, quick }: Benchmark): Promise<BenchTable[]> {
  const script = join(packageRoot, "dist/bench", `${name}.js`);
  const options = values.quick ? quick : [];
  const child = spawn(process.execPath, [script, "--json", ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const output: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(JSON.parse(Buffer.concat(output).toString()));
      else reject(new Error(`The benchmark "${name}" ended with exit code ${code}.`));
    });
  });
}

async function machine(): Promise<string> {
  const version = JSON.parse(
    await readFile(join(packageRoot, "node_modules/onnxruntime-node/package.json"), "utf8"),
  ).version;
  const [{ model }] = cpus();
  return `${model.trim()}, ${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB; Node ${process.versions.node}, ONNX Runtime ${version}`;
}

/** Puts each benchmark's tables between its markers, and leaves all else as it is. */
async function writeDocuments(outcomes: readonly Outcome[]): Promise<void> {
  const stamp = `${await machine()}; ${new Date().toISOString().slice(0, 10)}`;
  for (const { name, tables } of outcomes) {
    const document = BENCHMARKS.find((benchmark) => benchmark.name === name)?.document ?? DOCUMENT;
    const path = join(packageRoot, document);
    const command = `\`npm run bench -- --only ${name}${values.quick ? " --quick" : ""}\``;
    const content = [...tables.map(asMarkdown), `${command} on ${stamp}.`].join("\n\n");
    await writeFile(path, between(await readFile(path, "utf8"), name, content, document));
    say(`written: ${path}`);
  }
}

function between(text: string, name: string, content: string, document: string): string {
  const [open, close] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const [begin, end] = [text.indexOf(open), text.indexOf(close)];
  if (begin < 0 || end < begin) throw new Error(`${document} has no place marked ${open} … ${close}.`);
  return `${text.slice(0, begin + open.length)}\n${content}\n${text.slice(end)}`;
}
