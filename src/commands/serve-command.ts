import type { Command } from "./command.ts";

export const serveCommand: Command = {
  summary: "Starts the server (this is also what antidote alone does).",
  positionals: [],
  flags: {},
  notes: `Settings are environment variables: PORT, HOST, DATA_DIR, MODELS_DIR, ADMIN_KEY, DEVICE, THREADS,
JOB_CONCURRENCY, LOG_LEVEL and limits. The README lists them with their defaults. With REDIS_URL the server shares
its store and its jobs with other servers and with workers; docs/operations.md says how.

  PORT=8080 MODELS_DIR=models antidote serve`,
  load: async () => (await import("./serve.ts")).serve,
};
