import { readConfig } from "../config.ts";
import { startWorker } from "../worker.ts";
import { EXIT } from "./command.ts";
import { stopOnSignals } from "./stop-on-signals.ts";
import { trace } from "./trace.ts";

/** Starts a worker and says so; it runs until a signal ends it. */
export async function work(): Promise<number> {
  const config = readConfig(process.env);
  const stopTracing = await trace(config, "antidote-worker");
  const { version, device, close } = await startWorker(config);
  const jobs = config.jobConcurrency === 1 ? "one job" : `${config.jobConcurrency} jobs`;
  process.stdout.write(
    `\nAntidote ${version} works: ${jobs} at a time, on ${device} with ${config.threads} ${config.threads === 1 ? "thread" : "threads"}\n\n`,
  );
  stopOnSignals({ close: () => close().finally(stopTracing) });
  return EXIT.done;
}
