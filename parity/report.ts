import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { arch, cpus, platform, totalmem } from "node:os";
import { join } from "node:path";
import Table from "cli-table3";
import type { Device } from "../src/engine/runtime/device.ts";
import { AppError } from "../src/errors.ts";
import { passed, type Row } from "./compare.ts";
import type { ParityModel } from "./model.ts";
import { SOURCE_FOLDER } from "./source-folder.ts";

const HEAD = ["model", "quantity", "measured by", "measured", "limit", "library in float32", ""];
const DOCUMENT = join(SOURCE_FOLDER, "../docs/parity.md");
const [BEGIN, END] = ["<!-- parity: begin -->", "<!-- parity: end -->"];

const number = (value: number | undefined): string =>
  value === undefined ? "" : value === 0 ? "0" : value.toExponential(1);

const cellsOf = (row: Row): string[] => {
  const { model, quantity, measure, measured, limit, library } = row;
  const outcome = passed(row) ? "pass" : "FAIL";
  return [model, quantity, measure, number(measured), number(limit), number(library), outcome];
};

/** For the terminal. */
export function tableOf(rows: readonly Row[]): string {
  const comparesLibrary = rows.some(({ library }) => library !== undefined);
  const shown = (cells: readonly string[]) => cells.filter((_, column) => comparesLibrary || column !== 5);
  const aligned = ["left", "left", "left", "right", "right", "right", "left"] as const;
  const table = new Table({
    head: shown(HEAD),
    colAligns: aligned.filter((_, column) => comparesLibrary || column !== 5),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) table.push(shown(cellsOf(row)));
  return table.toString();
}

/** How many rows passed, in a sentence. */
export function verdictOf(rows: readonly Row[]): string {
  const failed = rows.filter((row) => !passed(row));
  if (failed.length === 0) return `All ${rows.length} quantities are within their limits.`;
  const names = failed.map(({ model, quantity }) => `${model}: ${quantity}`).join("; ");
  return `${failed.length} of ${rows.length} quantities are beyond their limits: ${names}.`;
}

export interface MeasuredRun {
  readonly models: readonly ParityModel[];
  readonly device: Device;
  readonly seconds: number;
}

/** Puts the table, and where it was measured, between the marks of docs/parity.md. */
export async function writeDocument(rows: readonly Row[], run: MeasuredRun): Promise<void> {
  const text = await readFile(DOCUMENT, "utf8");
  const [before, rest] = text.split(BEGIN);
  const [, after] = (rest ?? "").split(END);
  if (after === undefined)
    throw new AppError("INTERNAL", `docs/parity.md lacks the lines "${BEGIN}" and "${END}". Put them back.`);
  const measured = [placeOf(run), ...markdown(rows), verdictOf(rows)];
  await writeFile(DOCUMENT, `${before}${BEGIN}\n${measured.join("\n\n")}\n${END}${after}`);
}

function markdown(rows: readonly Row[]): string[] {
  const names = [...new Set(rows.map(({ model }) => model))];
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return names.map((name) => {
    const own = rows.filter(({ model }) => model === name).map((row) => line(cellsOf(row).slice(1)));
    return [`### ${name}`, "", line(HEAD.slice(1)), "|---|---|---:|---:|---:|---|", ...own].join("\n");
  });
}

function placeOf({ models, device, seconds }: MeasuredRun): string {
  const { version: runtime } = createRequire(import.meta.url)("onnxruntime-node/package.json");
  const machine = `${cpus()[0]?.model ?? arch()}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, ${platform()}`;
  const libraries = Object.entries(models[0]!.versions).map(([name, version]) => `${name} ${version}`);
  const day = new Date().toISOString().slice(0, 10);
  const command = `npm run parity -- --models ${models.map(({ name }) => name).join(",")} --device ${device} --write`;
  return `Measured on ${day} with \`${command}\` in ${Math.round(seconds)} s: ${machine}; Node ${process.versions.node}, ONNX Runtime ${runtime}; one thread. The golden values: ${libraries.join(", ")}.`;
}
