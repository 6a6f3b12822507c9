import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { compiled } from "../support/compiled.ts";

export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The program itself, as a shell would run it, until it ends. Variables of the tests' own environment stay out. */
export function antidote(args: readonly string[], variables: Record<string, string> = {}): Promise<Finished> {
  return start(args, variables).finished;
}

/** The same, while it runs. */
export function start(
  args: readonly string[],
  variables: Record<string, string> = {},
): { child: ChildProcess; finished: Promise<Finished> } {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [fileURLToPath(compiled("src/main")), ...args], {
    env: { PATH, HOME, DEVICE: "cpu", THREADS: "1", ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const texts = { out: "", err: "" };
  child.stdout.on("data", (chunk) => {
    texts.out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    texts.err += chunk;
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...texts }));
  });
  return { child, finished };
}
