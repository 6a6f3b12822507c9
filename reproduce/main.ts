/**
 * Computes the experiments of docs/results.md and writes it: `npm run reproduce -- --help`.
 */
import { join } from "node:path";
import { packageRoot } from "../src/config.ts";
import { AppError } from "../src/errors.ts";
import { Archive } from "./archive.ts";
import { type Cell, inOrder } from "./cell.ts";
import { type Lab, openLab } from "./lab.ts";
import { missingCells } from "./missing.ts";
import { type ReproduceOptions, readOptions, USAGE } from "./options.ts";
import { progressBar } from "./progress.ts";
import { writeReport } from "./report.ts";
import { runCells } from "./run.ts";
import { SECTIONS } from "./sections/index.ts";
import { FULL, QUICK } from "./size.ts";

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(options: ReproduceOptions): Promise<number> {
  const size = options.quick ? QUICK : FULL;
  const root = options.quick ? join(options.data, "quick") : options.data;
  const [lab, archive] = [
    await openLab(size, { folders: options.suspects, implants: options.implants }),
    new Archive(root),
  ];
  const failed = options.report ? 0 : await compute(lab, archive, options);
  const path =
    options.quick && !options.write ? join(root, "results.md") : join(packageRoot, "docs", "results.md");
  const { sections, kept } = await writeReport(lab, archive, path);
  say(`written: ${path} (${sections} of ${SECTIONS.length} sections, ${kept} of them as they were)`);
  return failed > 0 ? 1 : 0;
}

/** Resolves to how many cells failed. */
async function compute(lab: Lab, archive: Archive, options: ReproduceOptions): Promise<number> {
  const cells = inOrder(chosen(lab, options.only));
  if (cells.length === 0)
    throw new AppError(
      "BAD_USER_INPUT",
      `Nothing has a name that matches ${options.only}. Sections: ${SECTIONS.map(({ name }) => name).join(", ")}.`,
    );
  const stop = new AbortController();
  const interrupt = () => stop.abort(new Error("Stopped; the same command goes on from here."));
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  const watcher = progressBar();
  try {
    const scenes = join(packageRoot, "data", "scenes");
    const { atOnce, threads } = options;
    const missing = await missingCells(archive, cells, options.again);
    const failed = await runCells(missing, {
      archive,
      scenes,
      atOnce,
      threads,
      signal: stop.signal,
      watcher,
    });
    return failed.length;
  } finally {
    watcher.stop();
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

/** All cells of matching sections, and matching cells of the others. */
const chosen = (lab: Lab, only?: RegExp): Cell[] =>
  SECTIONS.flatMap((section) => {
    const cells = [...section.cells(lab)];
    return only === undefined || only.test(section.name)
      ? cells
      : inOrder(cells).filter((cell) => only.test(`${cell.kind} ${cell.name}`));
  });

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) console.log(USAGE);
  else process.exitCode = await main(options);
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = error instanceof AppError && error.code === "BAD_USER_INPUT" ? 2 : 1;
}
