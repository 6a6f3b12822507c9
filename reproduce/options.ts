import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { AppError } from "../src/errors.ts";

export interface ReproduceOptions {
  readonly quick: boolean;
  /** Sections and cells to compute; all without it. */
  readonly only?: RegExp;
  /** Experiments that are computed beside each other, and the threads of each. */
  readonly atOnce: number;
  readonly threads: number;
  /** Folders of checkpoints that were poisoned elsewhere. */
  readonly suspects: readonly string[];
  /** Whether models are poisoned here as well. */
  readonly implants: boolean;
  /** Where results are kept. */
  readonly data: string;
  /** Makes cells anew that another version of the engine has made. */
  readonly again: boolean;
  /** Computes nothing. */
  readonly report: boolean;
  /** Writes docs/results.md, which a quick run does only when asked. */
  readonly write: boolean;
}

export const USAGE = `Usage: npm run reproduce [-- FLAGS]

Computes every experiment of docs/results.md that is not finished yet and writes the document. It takes hours, and
can be stopped (Ctrl-C) and started again at any time: only the experiments that are at work are lost.

  --quick           a small version, about ten minutes; writes data/reproduce/quick/results.md
  --write           lets the quick version write docs/results.md
  --only PATTERN    only sections or experiments whose name matches the regular expression, and what they need
  --suspects DIR    poisoned checkpoints made elsewhere: open_clip folders with a manifest.json; may be repeated
  --no-implants     poisons no model here: the bundled suspect and those of --suspects only
  --again           makes anew what another version of the engine has made
  --report          computes nothing, writes the document with what is finished
  --at-once N       experiments beside each other (default 2: alone, one leaves part of the cores idle)
  --threads N       to compute each with (default: a fair share of the cores)
  --data DIR        where results are kept (default data/reproduce)
  --help            prints this`;

/** Fails with BAD_USER_INPUT that says what is wrong; gives nothing where help was asked for. */
export function readOptions(args: readonly string[]): ReproduceOptions | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const cores = availableParallelism();
  const atOnce = positive("--at-once", values["at-once"]) ?? Math.min(2, cores);
  const threads = positive("--threads", values.threads) ?? Math.max(1, Math.floor(cores / atOnce));
  return {
    quick: values.quick,
    ...(values.only === undefined ? {} : { only: pattern(values.only) }),
    atOnce,
    threads,
    suspects: values.suspects.map((folder) => resolve(folder)),
    implants: !values["no-implants"],
    data: resolve(values.data),
    again: values.again,
    report: values.report,
    write: values.write,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        quick: { type: "boolean", default: false },
        only: { type: "string" },
        "at-once": { type: "string" },
        threads: { type: "string" },
        suspects: { type: "string", multiple: true, default: [] },
        "no-implants": { type: "boolean", default: false },
        data: { type: "string", default: "data/reproduce" },
        again: { type: "boolean", default: false },
        report: { type: "boolean", default: false },
        write: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error));
  }
}

function positive(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw wrong(`${flag} takes a whole number from 1.`);
  return value;
}

function pattern(source: string): RegExp {
  try {
    return new RegExp(source, "i");
  } catch {
    throw wrong(`--only takes a regular expression, and ${JSON.stringify(source)} is none.`);
  }
}

const wrong = (message: string): AppError => new AppError("BAD_USER_INPUT", `${message} --help tells more.`);
