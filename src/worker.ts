import { collectDefaultMetrics, Registry } from "prom-client";
import { type Config, packageVersion } from "./config.ts";
import { type Device, resolveDevice, triedOnce, workingDevices } from "./engine/runtime/device.ts";
import { AppError } from "./errors.ts";
import { JobMetrics } from "./http/job-metrics.ts";
import { openWorkerPort } from "./http/worker-port.ts";
import { BullJobWorker } from "./jobs/bull-worker.ts";
import { JobTraces } from "./jobs/traces.ts";
import { RosterEntry } from "./jobs/worker-roster.ts";
import { createLogger } from "./logger.ts";
import { closeOnFailure } from "./services/close-on-failure.ts";
import { JobCompletion } from "./services/completion.ts";
import { Housekeeping } from "./services/housekeeping.ts";
import { meterJobs } from "./services/quotas/job-meter.ts";
import { UsageMeter } from "./services/quotas/usage-meter.ts";
import { ModelRegistry } from "./services/registry.ts";
import { selfTester } from "./services/self-testing.ts";
import { jobEndWrites } from "./services/webhooks/job-end.ts";
import { openStorage } from "./storage.ts";

/** A process that runs jobs for the servers that share its Redis. */
export interface JobWorkerApp {
  readonly version: string;
  readonly device: Device;
  /** Takes no more jobs, lets the running ones save where they are, and gives them back. */
  close(): Promise<void>;
}

/** What a worker computes is worth waiting for. */
const PATIENCE_SECONDS = 300;

/** Puts a worker together; a start that fails leaves nothing open. INVALID_CONFIGURATION without a Redis. */
export function startWorker(config: Config): Promise<JobWorkerApp> {
  return closeOnFailure((opened) => assemble(config, opened));
}

async function assemble(
  config: Config,
  opened: (close: () => Promise<unknown>) => void,
): Promise<JobWorkerApp> {
  const { redis } = config;
  if (!redis)
    throw new AppError(
      "INVALID_CONFIGURATION",
      "A worker shares its work through Redis. Set REDIS_URL to the servers' own; a server without it runs its jobs itself.",
    );
  const traces = new JobTraces();
  const logger = createLogger(config.logLevel, traces);
  const version = packageVersion();
  const probe = triedOnce();
  const device = await resolveDevice(config.device, { log: (message) => logger.info(message), probe });
  const devices = await workingDevices(probe);
  const storage = await openStorage(config, logger, PATIENCE_SECONDS);
  const { store, blobs, depot, shelf, jobsFolder } = storage;
  opened(() => store.close());
  const tester = selfTester({ device, threads: config.threads });
  const models = new ModelRegistry(store, config.modelsFolder, tester, depot);
  const meter = new UsageMeter({ store, logger });
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const { metricsPort: port, host } = config;
  const shown = { host, registry, assertReady: () => store.check() };
  const closePort = port === undefined ? undefined : await openWorkerPort({ ...shown, port });
  opened(async () => closePort?.());
  const completion = new JobCompletion({ store, blobs, models, code: version, device });
  const worker = new BullJobWorker({
    ...redis,
    store,
    folder: jobsFolder,
    shelf,
    supplies: { blobs, depot },
    concurrency: config.jobConcurrency,
    niceness: config.jobNiceness,
    device,
    devices,
    threads: config.threads,
    lockMilliseconds: config.jobLockSeconds * 1000,
    complete: completion.complete,
    assertTakes: completion.assertTakes,
    logger,
    atEnd: jobEndWrites(store),
    observers: [new JobMetrics(registry), traces],
    meter: meterJobs(meter),
  });
  opened(() => worker.stop().then(() => meter.stop()));
  meter.start();
  const entry = new RosterEntry({ store, devices, logger });
  await worker.start();
  await entry.start();
  const housekeeping = new Housekeeping(storage.ownChores, logger);
  return {
    version,
    device,
    close: async () => {
      entry.stop();
      await worker.stop();
      await closePort?.();
      await housekeeping.close();
      await meter.stop();
      await store.close();
    },
  };
}
