import { resolve } from "node:path";
import { parseArgs } from "node:util";

export interface DemoOptions {
  /** A running server to use instead of starting one, and a key for it with all scopes. */
  readonly url?: string;
  readonly key?: string;
  /** Another world than the bundled one: a checkpoint with its manifest, and folders of class folders. */
  readonly model?: WorldFolders;
  /** At most so many test images of each class. */
  readonly perClass: number;
  /** Where the pictures go. */
  readonly out: string;
  readonly json: boolean;
}

export interface WorldFolders {
  readonly folder: string;
  readonly shots: string;
  readonly test: string;
}

const USAGE = `npm run demo -- [--json] [--out FOLDER] [--per-class N]
                [--url http://localhost:4000 --key KEY]
                [--model CHECKPOINT --shots CLASS_FOLDERS --test CLASS_FOLDERS]`;

/** Reads the command line; a wrong argument ends the program with a line that says what is right. */
export function readOptions(args: readonly string[]): DemoOptions {
  try {
    return parse(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${USAGE}\n`);
    process.exit(2);
  }
}

function parse(args: readonly string[]): DemoOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean", default: false },
      out: { type: "string", default: "demo-report" },
      "per-class": { type: "string", default: "50" },
      url: { type: "string" },
      key: { type: "string" },
      model: { type: "string" },
      shots: { type: "string" },
      test: { type: "string" },
    },
  });
  const perClass = Number(values["per-class"]);
  if (!Number.isInteger(perClass) || perClass < 1 || perClass > 10_000)
    throw new Error("--per-class takes a whole number from 1 to 10000.");
  if ((values.url === undefined) !== (values.key === undefined))
    throw new Error("--url and --key go together.");
  const { url, key, json } = values;
  return { url, key, model: foldersOf(values), perClass, out: resolve(values.out), json };
}

function foldersOf({
  model,
  shots,
  test,
}: {
  model?: string;
  shots?: string;
  test?: string;
}): WorldFolders | undefined {
  if (model && shots && test) return { folder: resolve(model), shots: resolve(shots), test: resolve(test) };
  if (model || shots || test) throw new Error("--model, --shots and --test go together.");
  return undefined;
}
