import { parseArgs } from "node:util";
import { AppError } from "../errors.ts";
import type { Arguments, Command, Flags } from "./command.ts";
import { didYouMean } from "./did-you-mean.ts";

/**
 * Reads a command's arguments. Fails with BAD_USER_INPUT that says what is wrong and what was perhaps meant; `--help`
 * is known to every command.
 */
export function readArguments(name: string, command: Command, args: readonly string[]): Arguments {
  const { values, positionals } = parse(name, { ...command.flags, help: HELP }, args);
  const expected = command.positionals.length;
  if (!values.help && positionals.length < expected)
    throw usage(name, `It needs ${command.positionals[positionals.length]}.`);
  if (positionals.length > expected)
    throw usage(name, `"${positionals[expected]}" is one argument too many.`);
  return {
    positionals,
    value: (flag) => values[flag] as string | undefined,
    has: (flag) => values[flag] !== undefined,
  };
}

export const HELP = { help: "Shows this help.", short: "h" } as const;

function parse(
  name: string,
  flags: Flags,
  args: readonly string[],
): { values: Readonly<Record<string, unknown>>; positionals: readonly string[] } {
  const options = Object.fromEntries(
    Object.entries(flags).map(([flag, { value, short }]) => [
      flag,
      { type: value ? ("string" as const) : ("boolean" as const), ...(short ? { short } : {}) },
    ]),
  );
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw usage(name, explain(error as NodeJS.ErrnoException, Object.keys(flags)));
  }
}

function explain({ code, message }: NodeJS.ErrnoException, flags: readonly string[]): string {
  if (code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION") return `${message}.`.replace(/\.+$/, ".");
  const [, unknown = ""] = /'(-{1,2}[^']*)'/.exec(message) ?? [];
  const known = flags.map((flag) => `--${flag}`);
  return `There is no flag ${unknown}.${didYouMean(unknown, known)}`;
}

function usage(name: string, problem: string): AppError {
  return new AppError("BAD_USER_INPUT", `antidote ${name}: ${problem} See antidote ${name} --help.`);
}
