/**
 * Kills processes at work, sends malformed inputs, and watches memory: `npm run chaos -- --help`.
 */
import { AppError } from "../src/errors.ts";
import { inputs } from "./inputs/index.ts";
import { kills } from "./kills/index.ts";
import { memory } from "./memory.ts";
import { type ChaosOptions, type PartName, readOptions, USAGE } from "./options.ts";
import type { Part, Row } from "./part.ts";
import { follow } from "./progress.ts";
import { inText, violationsOf, writeReport } from "./report.ts";

const PARTS: Readonly<Record<PartName, Part>> = { kills, inputs, memory };

async function main(options: ChaosOptions): Promise<number> {
  const began = Date.now();
  const rows: Row[] = [];
  for (const name of options.parts) {
    const { report, stop } = follow(name);
    try {
      rows.push(...(await PARTS[name](options, report)));
    } finally {
      stop();
    }
  }
  process.stdout.write(`${inText(rows, options)}\n`);
  if (options.write) await writeReport(options.write, rows, options, (Date.now() - began) / 1000);
  return violationsOf(rows).length > 0 ? 1 : 0;
}

// What it started is stopped as it ends, which a signal alone does not let it do.
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.once(signal, () => process.exit(code));
try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) console.log(USAGE);
  else process.exitCode = await main(options);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof AppError && error.code === "BAD_USER_INPUT" ? 2 : 1;
}
