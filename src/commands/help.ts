import { HELP } from "./arguments.ts";
import type { Command, Flags } from "./command.ts";

/** What `antidote --help` prints. */
export function overview(commands: Readonly<Record<string, Command>>): string {
  const rows = Object.entries(commands).map(
    ([name, { positionals, summary }]) => [[name, ...positionals].join(" "), summary] as const,
  );
  return [
    "Antidote hosts suspect CLIP models, purifies their backdoors, and proves the result.",
    "",
    "Usage: antidote [COMMAND] [FLAGS]",
    "",
    ...columns(rows),
    "",
    "antidote COMMAND --help says more about one; antidote --version prints the version.",
    "",
  ].join("\n");
}

/** What `antidote COMMAND --help` prints. */
export function manual(name: string, command: Command): string {
  const words = ["antidote", name, ...command.positionals, "[FLAGS]"];
  return [
    command.summary,
    "",
    `Usage: ${words.join(" ")}`,
    "",
    ...columns(flagRows({ ...command.flags, help: HELP })),
    "",
    command.notes,
    "",
  ].join("\n");
}

const flagRows = (flags: Flags): (readonly [string, string])[] =>
  Object.entries(flags).map(([flag, { value, short, help }]) => [
    `${short ? `-${short}, ` : ""}--${flag}${value ? ` ${value}` : ""}`,
    help,
  ]);

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([first]) => first.length));
  return rows.map(([first, second]) => `  ${first.padEnd(width)}  ${second}`);
}
