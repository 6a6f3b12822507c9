/**
 * Whether the engine computes what the libraries compute: `npm run parity -- --help`. Weights and inputs are made by
 * `generator`, here and in Python, to the bit; what PyTorch makes of them lies in `models`.
 */
import { openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import { type Device, resolveDevice } from "../src/engine/runtime/device.ts";
import { AppError } from "../src/errors.ts";
import { checkModel, workOf } from "./check.ts";
import { passed, type Row } from "./compare.ts";
import { CONSISTENCY_WORK, consistencyOf } from "./consistency.ts";
import { requireSpace } from "./make-model.ts";
import { readModel } from "./model.ts";
import { type ParityOptions, readOptions, USAGE } from "./options.ts";
import { withProgress } from "./progress.ts";
import { tableOf, verdictOf, writeDocument } from "./report.ts";

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (!options) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const device = await resolveDevice(options.device, { log: say });
  const rows = options.folder
    ? await checkFolder(options.folder, device)
    : await checkModels(options, device);
  if (options.json) process.stdout.write(`${JSON.stringify({ rows: rows.map(withOutcome) })}\n`);
  else process.stdout.write(`${tableOf(rows)}\n`);
  say(verdictOf(rows));
  return rows.every(passed) ? 0 : 1;
}

const withOutcome = (row: Row) => ({ ...row, passed: passed(row) });

async function checkModels(options: ParityOptions, device: Device): Promise<Row[]> {
  const begin = performance.now();
  const models = await Promise.all(options.models.map(readModel));
  await requireSpace(options.cache, models, options.keep);
  const total = models.reduce((sum, model) => sum + workOf(model), 0);
  const rows = await withProgress(total, async (advance) => {
    const all: Row[] = [];
    for (const model of models) all.push(...(await checkModel(model, { ...options, device }, advance)));
    return all;
  });
  if (options.write)
    await writeDocument(rows, { models, device, seconds: (performance.now() - begin) / 1000 });
  return rows;
}

async function checkFolder(folder: string, device: Device): Promise<Row[]> {
  const checkpoint = await openCheckpoint(folder);
  say(`"${checkpoint.name}": ${checkpoint.format}. Without its library: is it true to itself?`);
  return withProgress(CONSISTENCY_WORK, (advance) => consistencyOf(checkpoint, device, advance));
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof AppError)) throw error;
  say(error.message);
  process.exitCode = error.code === "BAD_USER_INPUT" ? 2 : 1;
}
