import type { Command } from "./command.ts";

export const workerCommand: Command = {
  summary: "Runs the jobs of the servers that share its Redis.",
  positionals: [],
  flags: {},
  notes: `Servers and workers share REDIS_URL, REDIS_PREFIX, and the folders DATA_DIR and MODELS_DIR under the same paths.
Other settings: DEVICE, THREADS, JOB_CONCURRENCY, JOB_LOCK_SECONDS and LOG_LEVEL. docs/operations.md says more.

  REDIS_URL=redis://10.0.0.5:6379 DATA_DIR=/shared/data antidote worker`,
  load: async () => (await import("./worker.ts")).work,
};
