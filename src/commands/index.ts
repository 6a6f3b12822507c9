import { packageVersion } from "../config.ts";
import { AppError } from "../errors.ts";
import { readArguments } from "./arguments.ts";
import { checkStorageCommand } from "./check-storage-command.ts";
import { type Command, EXIT } from "./command.ts";
import { didYouMean } from "./did-you-mean.ts";
import { manual, overview } from "./help.ts";
import { importCommand } from "./import-command.ts";
import { serveCommand } from "./serve-command.ts";
import { setupCudaCommand } from "./setup-cuda-command.ts";
import { workerCommand } from "./worker-command.ts";

const COMMANDS: Readonly<Record<string, Command>> = {
  serve: serveCommand,
  worker: workerCommand,
  import: importCommand,
  "check-storage": checkStorageCommand,
  "setup-cuda": setupCudaCommand,
};

/** Runs what a command line asks for, `serve` where it names no command. Resolves to the exit code. */
export async function runCommandLine(line: readonly string[]): Promise<number> {
  try {
    return await dispatch(line);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error.code === "BAD_USER_INPUT" ? EXIT.usage : EXIT.failed;
  }
}

async function dispatch(line: readonly string[]): Promise<number> {
  const [first = "serve", ...rest] = line;
  if (first === "--help" || first === "-h" || first === "help") return print(overview(COMMANDS));
  if (first === "--version" || first === "-v") return print(`${packageVersion()}\n`);
  const [name, args] = first.startsWith("-") ? ["serve", line] : [first, rest];
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) throw unknownCommand(name);
  const read = readArguments(name, command, args);
  if (read.has("help")) return print(manual(name, command));
  return (await command.load())(read);
}

function print(text: string): number {
  process.stdout.write(text);
  return EXIT.done;
}

function unknownCommand(name: string): AppError {
  const guess = didYouMean(name, Object.keys(COMMANDS));
  return new AppError("BAD_USER_INPUT", `There is no command "${name}".${guess} See antidote --help.`);
}
