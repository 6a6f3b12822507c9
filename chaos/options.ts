import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { AppError } from "../src/errors.ts";

export const PARTS = ["kills", "inputs", "memory"] as const;

export type PartName = (typeof PARTS)[number];

export interface ChaosOptions {
  readonly parts: readonly PartName[];
  readonly seed: number;
  /** The kills end after so many, or so many seconds, whichever comes first. */
  readonly kills: number;
  readonly seconds: number;
  readonly inputs: number;
  /** Of `classify`, while memory is watched. */
  readonly requests: number;
  readonly redis: boolean;
  /** The report to write. */
  readonly write?: string;
  /** As it was typed, for the report. */
  readonly command: string;
}

const FULL = { kills: 500, seconds: 3600, inputs: 100_000, requests: 100_000 };
const SHORT = { kills: 20, seconds: 60, inputs: 2_000, requests: 1_000 };

export const USAGE = `Usage: npm run chaos [-- FLAGS]

Kills processes at work, sends malformed inputs, and watches memory, all on this machine. Ends with code 1 when
anything did not hold. The full size takes hours.

  --short           about three minutes: ${SHORT.kills} kills in ${SHORT.seconds} s, ${SHORT.inputs} inputs, ${SHORT.requests} requests
  --redis           two servers, two workers and a redis-server of its own, rather than one embedded server
  --only PARTS      some of ${PARTS.join(",")}
  --kills N         at most so many (${FULL.kills})
  --seconds N       and for no longer than this (${FULL.seconds})
  --inputs N        malformed inputs (${FULL.inputs})
  --requests N      classified images while memory is watched (${FULL.requests})
  --seed N          of everything that is random (1)
  --write FILE      writes the report, such as docs/reliability.md; of another mode's report there, it leaves the section
`;

/** Undefined where only the usage is asked for. Throws BAD_USER_INPUT. */
export function readOptions(args: readonly string[]): ChaosOptions | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const size = values.short ? SHORT : FULL;
  const parts = values.only?.split(",") ?? [...PARTS];
  const wrongPart = parts.find((part) => !PARTS.includes(part as PartName));
  if (wrongPart !== undefined) throw wrong(`--only takes ${PARTS.join(",")}, not "${wrongPart}".`);
  return {
    parts: parts as PartName[],
    seed: whole("seed", values.seed, 1),
    kills: whole("kills", values.kills, size.kills),
    seconds: whole("seconds", values.seconds, size.seconds),
    inputs: whole("inputs", values.inputs, size.inputs),
    requests: whole("requests", values.requests, size.requests),
    redis: values.redis,
    ...(values.write === undefined ? {} : { write: resolve(values.write) }),
    command: ["npm run chaos --", ...args].join(" "),
  };
}

function parse(args: readonly string[]) {
  try {
    const text = { type: "string" } as const;
    const flag = { type: "boolean", default: false } as const;
    const numbers = { seed: text, kills: text, seconds: text, inputs: text, requests: text };
    const options = { ...numbers, short: flag, redis: flag, only: text, write: text, help: flag };
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error));
  }
}

function whole(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw wrong(`--${name} takes a whole number from 1, not "${text}".`);
  return Number(text);
}

const wrong = (message: string): AppError => new AppError("BAD_USER_INPUT", `${message} --help tells more.`);
