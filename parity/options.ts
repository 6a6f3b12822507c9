import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { didYouMean } from "../src/commands/did-you-mean.ts";
import { DEVICES, type DeviceChoice } from "../src/engine/runtime/device.ts";
import { AppError } from "../src/errors.ts";
import { FULL_MODELS, TINY_MODELS } from "./model.ts";

export interface ParityOptions {
  /** What to compare with its library. */
  readonly models: readonly string[];
  /** A checkpoint to look at by itself instead. */
  readonly folder?: string;
  /** Where models are made. */
  readonly cache: string;
  readonly keep: boolean;
  readonly device: DeviceChoice;
  readonly json: boolean;
  /** Puts the table into docs/parity.md. */
  readonly write: boolean;
}

export const USAGE = `Usage: npm run parity [-- FLAGS]

Compares the engine with the real libraries, on models of the true architectures with generated weights.

  --models LIST   of ${FULL_MODELS.join(", ")} (these are the default),
                  ${TINY_MODELS.join(", ")}
  --folder PATH   checks your own checkpoint instead: embeddings and gradients against themselves
  --device NAME   cpu (the default), cuda, webgpu or auto
  --cache PATH    where the models are made, one after the other (default data/parity, up to 620 MB)
  --keep          leaves them there for the next time
  --write         puts the table into docs/parity.md
  --json          prints one line of JSON instead of the table
  --help          prints this`;

const CHOICES = [...DEVICES, "auto"] as const;

const isDevice = (name: string): name is DeviceChoice => (CHOICES as readonly string[]).includes(name);

const FLAGS = {
  models: { type: "string" },
  folder: { type: "string" },
  cache: { type: "string", default: "data/parity" },
  device: { type: "string", default: "cpu" },
  keep: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  write: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** Fails with BAD_USER_INPUT that says what is wrong; gives nothing where help was asked for. */
export function readOptions(args: readonly string[]): ParityOptions | undefined {
  const { models: list, folder, cache, device, keep, json, write, help } = parse(args);
  if (help) return undefined;
  if (!isDevice(device)) throw wrong(`There is no device "${device}"; there are ${CHOICES.join(", ")}.`);
  if (folder !== undefined && (list !== undefined || write || keep))
    throw wrong("--folder checks one checkpoint by itself: it goes with --device and --json only.");
  const models = list === undefined ? [...FULL_MODELS] : listed(list);
  return { models, folder: folder && resolve(folder), cache: resolve(cache), device, keep, json, write };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS }).values;
  } catch (error) {
    const [, unknown = ""] = /Unknown option '(-{1,2}[^']*)'/.exec((error as Error).message) ?? [];
    const known = Object.keys(FLAGS).map((flag) => `--${flag}`);
    throw wrong(
      unknown ? `There is no flag ${unknown}.${didYouMean(unknown, known)}` : (error as Error).message,
    );
  }
}

function listed(list: string): string[] {
  const known: readonly string[] = [...FULL_MODELS, ...TINY_MODELS];
  const names = list.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return [...new Set(names)];
  throw wrong(
    `There is no model "${unknown}".${didYouMean(unknown, known) || ` There are ${known.join(", ")}.`}`,
  );
}

const wrong = (problem: string): AppError => new AppError("BAD_USER_INPUT", `${problem} See --help.`);
