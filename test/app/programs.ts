import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach } from "@jest/globals";
import { compiled } from "../support/compiled.ts";
import { type Client, clientOf, OURS } from "./server.ts";

const processes: ChildProcess[] = [];

afterEach(() => {
  for (const child of processes.splice(0)) child.kill("SIGKILL");
});

export interface Program {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Resolves when it has written this; fails when it has ended before. */
  until(text: string): Promise<void>;
}

/** The program itself, as an operator runs it. */
export function run(command: string, variables: Record<string, string>): Program {
  const env = {
    ...process.env,
    ...OURS,
    PORT: "0",
    LOG_LEVEL: "info",
    JOB_LOCK_SECONDS: "4",
    ...variables,
  };
  const child = spawn(process.execPath, [fileURLToPath(compiled("src/main")), command], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  processes.push(child);
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  const until = (wanted: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => text.includes(wanted) && resolve();
      child.stdout.on("data", look);
      child.once("close", () => reject(new Error(`It ended without having written "${wanted}": ${text}`)));
      look();
    });
  return { child, output: () => text, until };
}

export async function serve(variables: Record<string, string>): Promise<Program & Client> {
  const program = run("serve", variables);
  await program.until("Device ");
  return { ...program, ...clientOf(/GraphQL +(\S+)\/graphql/.exec(program.output())?.[1] ?? "") };
}

export async function work(variables: Record<string, string>): Promise<Program> {
  const program = run("worker", variables);
  await program.until(" works: ");
  return program;
}
