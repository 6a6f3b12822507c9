import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import express from "express";
import type { GraphQLSchema } from "graphql";
import type { Logger } from "pino";
import { type Config, packageVersion } from "./config.ts";
import { Context } from "./context.ts";
import { type Device, resolveDevice } from "./engine/runtime/device.ts";
import { AppError } from "./errors.ts";
import { createApollo } from "./http/apollo.ts";
import { boundSubscriptions } from "./http/bound-subscriptions.ts";
import { countSubscriptions } from "./http/count-subscriptions.ts";
import { configureEdge, GRAPHQL_PATH } from "./http/edge.ts";
import { serverOf } from "./http/express-server.ts";
import { JobMetrics } from "./http/job-metrics.ts";
import { Metrics } from "./http/metrics.ts";
import { TrustedDocuments } from "./http/trusted-documents.ts";
import { UploadReader } from "./http/uploads.ts";
import { serveWebSocket } from "./http/websocket.ts";
import { BullJobQueue } from "./jobs/bull-queue.ts";
import { EmbeddedJobQueue, type EmbeddedJobQueueOptions } from "./jobs/embedded-queue.ts";
import { clearLeftStates } from "./jobs/left-states.ts";
import type { JobQueue } from "./jobs/queue.ts";
import { isOver } from "./jobs/states.ts";
import { JobTraces } from "./jobs/traces.ts";
import { devicesOfWorkers } from "./jobs/worker-roster.ts";
import { createLogger } from "./logger.ts";
import { createSchema } from "./resolvers/schema.ts";
import { AccessService, type Caller } from "./services/access.ts";
import { AttackPreviews } from "./services/attack-previews.ts";
import { AuditLog } from "./services/audit-log.ts";
import { blobReferences } from "./services/blob-references.ts";
import { CostBudget } from "./services/budget.ts";
import { closeOnFailure } from "./services/close-on-failure.ts";
import { JobCompletion } from "./services/completion.ts";
import { DEMO_TENANT, ensureDemoTenant } from "./services/demo-tenant.ts";
import { Devices } from "./services/devices.ts";
import { Estimates } from "./services/estimates.ts";
import { Housekeeping } from "./services/housekeeping.ts";
import { mergeDays } from "./services/quotas/daily-use.ts";
import { meterJobs } from "./services/quotas/job-meter.ts";
import type { Resource } from "./services/quotas/quota.ts";
import { Usage } from "./services/quotas/usage.ts";
import { UsageMeter } from "./services/quotas/usage-meter.ts";
import { Readiness } from "./services/readiness.ts";
import { ModelRegistry, referenceOf, type Scan } from "./services/registry.ts";
import { SampleImages } from "./services/samples.ts";
import { ScheduleRunner } from "./services/schedules/runner.ts";
import { searchWork } from "./services/search-work.ts";
import { selfTester } from "./services/self-testing.ts";
import { Serving } from "./services/serving.ts";
import { Tenants } from "./services/tenant.ts";
import { WebhookDeliverer } from "./services/webhooks/deliverer.ts";
import { jobEndWrites } from "./services/webhooks/job-end.ts";
import { WebhookPost } from "./services/webhooks/post.ts";
import { pruneDeliveries } from "./services/webhooks/webhooks.ts";
import { openStorage } from "./storage.ts";
import { BlobSweeper } from "./store/blob-sweeper.ts";

/** A server that listens. */
export interface App {
  readonly url: string;
  readonly version: string;
  readonly device: Device;
  /** The admin key, when this start has made it: it cannot be had again. */
  readonly newAdminKey: string | undefined;
  readonly scan: Scan;
  /** Stops taking requests, lets running jobs save where they are, and closes the store. */
  close(): Promise<void>;
}

export interface AppOptions {
  readonly logger?: Logger;
  /** Other handlers of jobs, for tests of what surrounds them. */
  readonly handlersModule?: URL;
  /** How often schedules are looked at, for tests that do not wait. */
  readonly scheduleMilliseconds?: number;
}

const HOUR_MILLISECONDS = 3_600_000;
const DAY_MILLISECONDS = 24 * HOUR_MILLISECONDS;
/** How long a request waits for a Redis that is away. */
const PATIENCE_SECONDS = 10;

/** Puts the parts together and listens. A start that fails leaves nothing open. */
export function startApp(config: Config, options: AppOptions = {}): Promise<App> {
  return closeOnFailure((opened) => assemble(config, options, opened));
}

/** The only place that knows all the parts. Tells `opened` how to close what would keep the process alive. */
async function assemble(
  config: Config,
  options: AppOptions,
  opened: (close: () => Promise<unknown>) => void,
): Promise<App> {
  const { limits } = config;
  const traces = new JobTraces();
  const logger = options.logger ?? createLogger(config.logLevel, traces);
  const version = packageVersion();
  const schema = createSchema();
  const documents = await trustedDocuments(config, schema);
  const logDevice = (message: string) => logger.info(message);
  const device = await resolveDevice(config.device, { log: logDevice });
  const storage = await openStorage(config, logger, PATIENCE_SECONDS);
  const { store, blobs, depot, shelf, jobsFolder } = storage;
  opened(() => store.close());
  const samples = await SampleImages.open(join(config.zooFolder, "samples"));
  const access = new AccessService(store);
  const tester = selfTester({ device, threads: config.threads });
  const models = new ModelRegistry(store, config.modelsFolder, tester, depot);
  const imageLimits = { maxBytes: limits.imageBytes, maxPixels: limits.imagePixels, minSide: 1 };
  const previews = new AttackPreviews({ blobs, samples, imageLimits });
  const serving = new Serving({
    device,
    threads: config.threads,
    images: imageLimits,
    // A request of the largest size finds room behind those that wait.
    capacity: limits.waitingImages + limits.classifyImages,
    longestWaitMilliseconds: limits.waitMilliseconds,
    onBatch: (images) => metrics.batches.observe(images),
    depot,
    idleMilliseconds: config.modelIdleMinutes * 60_000 || undefined,
  });
  opened(() => Promise.all([serving.close(), previews.close()]));
  const metrics = new Metrics({
    jobs: () => queue.counts(),
    images: async () => serving.waitingImages(),
    eventStreams: async () => ({ jobs: queue.followers }),
    deliveries: () => deliverer.pending,
  });
  const supplies = { blobs, depot };
  const onRefused = (quota: Resource) => metrics.refusals.inc({ quota });
  const meter = new UsageMeter({ store, logger, onRefused });
  const completion = new JobCompletion({ store, blobs, models, code: version, device });
  const queue = openQueue(config, {
    store,
    folder: jobsFolder,
    shelf,
    supplies,
    concurrency: config.jobConcurrency,
    niceness: config.jobNiceness,
    resumeMilliseconds: config.jobResumeDays * DAY_MILLISECONDS,
    device,
    threads: config.threads,
    complete: completion.complete,
    assertTakes: completion.assertTakes,
    logger,
    handlersModule: options.handlersModule,
    observers: [new JobMetrics(metrics.registry), traces],
    atEnd: jobEndWrites(store),
    meter: meterJobs(meter),
  });
  opened(() => queue.stop().then(() => meter.stop()));
  boundSubscriptions(schema);
  countSubscriptions(schema, metrics.subscriptions);
  const webhookPost = new WebhookPost(new Set(config.webhookHosts));
  const deliverer = new WebhookDeliverer({
    store,
    post: webhookPost,
    logger,
    onAttempt: (outcome) => metrics.deliveries.inc({ outcome }),
  });
  const tenants = new Tenants({
    store,
    blobs,
    queue,
    models,
    devices: new Devices({
      standard: config.device,
      ...(config.redis ? { ofWorkers: () => devicesOfWorkers(store) } : {}),
      workOf: async (model) => searchWork(await depot.folder(model)),
      log: logDevice,
    }),
    estimates: new Estimates({
      device,
      threads: config.threads,
      supplies,
      onOutput: (line) => logger.info({ line }, "a planning process wrote"),
    }),
    serving,
    samples,
    previews,
    webhookPost,
    meter,
    limits,
    attacksAllowed: config.attacksAllowed,
    onImages: (answers) => metrics.countImages(answers),
    onRefused,
  });
  const budget = new CostBudget(limits.costPerMinute);
  const readiness = new Readiness(models, serving, store, logger);
  const auditLog = new AuditLog(store);
  const server = {
    models,
    serving,
    samples,
    budget,
    access,
    auditLog,
    meter,
    usage: new Usage(store, meter),
  };

  const createContext = (
    caller: Caller | undefined,
    requestId: string,
    signal?: AbortSignal,
    lastEventId?: number,
  ) =>
    new Context(
      { requestId, caller, signal, lastEventId, uploads: new UploadReader(limits) },
      server,
      tenants,
    );
  const identify = async (authorization: string | undefined) =>
    authorization === undefined ? undefined : access.authenticate(authorization);

  const scan = await models.scan();
  for (const { name, error } of scan.failed) logger.warn({ model: name, code: error.code }, error.message);
  await ensureDemoTenant(access, tenants, join(config.zooFolder, "shots"));
  if (config.adminKey !== undefined) await access.keys.ensureAdminKey(DEMO_TENANT, config.adminKey);
  await queue.start();

  const web = express();
  const httpServer = serverOf(web);
  const apollo = createApollo({ schema, httpServer, logger, metrics });
  const closeSockets = serveWebSocket({
    schema,
    documents,
    httpServer,
    path: GRAPHQL_PATH,
    maxPayload: limits.requestBytes,
    logger,
    metrics,
    createContext: async (authorization, signal) =>
      createContext(await identify(authorization), randomUUID(), signal),
  });
  await apollo.start();
  const closeStreams = configureEdge(web, {
    apollo,
    schema,
    documents,
    limits,
    logger,
    metrics,
    identify,
    createContext,
    tenant: (name) => tenants.open(name),
    assertReady: () => readiness.assert(),
  });
  const port = await listen(httpServer, config);
  // Only now: a key made by a start that then fails would be lost.
  const newAdminKey = await access.keys.ensureAdminKey(DEMO_TENANT, config.adminKey);

  const sweeper = new BlobSweeper({
    store,
    records: storage.records,
    blobs,
    isAlone: config.redis === undefined,
    retentionMilliseconds: config.blobRetentionHours * HOUR_MILLISECONDS,
    referencesOf: blobReferences(config.jobResumeDays * DAY_MILLISECONDS),
    logger,
    onSwept: (swept) => metrics.countSwept(swept),
  });
  // A day more, for clocks of other servers that are a little behind.
  const goneMilliseconds = (config.jobResumeDays + 1) * DAY_MILLISECONDS;
  const housekeeping = new Housekeeping(
    {
      "pruning the audit log": () => auditLog.prune(config.auditRetentionDays),
      "adding up what was used": () => mergeDays(store, new Date()),
      "pruning the log of webhooks": () => pruneDeliveries(store, new Date()),
      "clearing what jobs have left": async () => {
        const names = (await access.tenants()).map(({ name }) => name);
        await clearLeftStates(shelf, queue, names, (job) => isOver(job, new Date(), goneMilliseconds));
      },
      "removing the events of old jobs": async () => {
        const endedBefore = new Date(Date.now() - goneMilliseconds);
        for (const { name } of await access.tenants()) await queue.dropEvents(name, endedBefore);
      },
      ...storage.chores,
      "removing what no record names": () => sweeper.sweep(),
      // Asked for again, their files stay on this machine for as long as they are in memory.
      "keeping the files of loaded models": async () => {
        const loaded = (await models.list()).filter((model) => serving.isLoaded(model));
        for (const model of loaded) await depot.folder(referenceOf(model));
      },
      ...storage.ownChores,
    },
    logger,
  );
  deliverer.start();
  const schedules = new ScheduleRunner({
    store,
    tenant: (name) => tenants.open(name),
    models,
    isActive: async (name) => (await access.tenant(name))?.suspendedAt === undefined,
    holder: randomUUID(),
    logger,
  });
  schedules.start(options.scheduleMilliseconds);
  meter.start();

  return {
    url: `http://${config.host ?? "localhost"}:${port}`,
    version,
    device,
    newAdminKey,
    scan,
    close: async () => {
      readiness.leave();
      // A balancer needs a while to see it; requests that still come are answered.
      await new Promise((resolve) => setTimeout(resolve, config.drainSeconds * 1000));
      await closeSockets();
      closeStreams();
      await apollo.stop();
      await schedules.stop();
      await queue.stop();
      sweeper.stop();
      await housekeeping.close();
      await deliverer.stop();
      await meter.stop();
      await Promise.all([serving.close(), previews.close()]);
      await access.keys.use.settled();
      await store.close();
    },
  };
}

const trustedDocuments = async ({ trustedDocuments: given }: Config, schema: GraphQLSchema) =>
  given ? TrustedDocuments.read(given.path, given.mode, schema) : TrustedDocuments.none();

/** Alone, a server runs its jobs itself; with Redis, workers do. */
function openQueue({ redis }: Config, options: EmbeddedJobQueueOptions): JobQueue {
  return redis ? new BullJobQueue({ ...options, ...redis }) : new EmbeddedJobQueue(options);
}

function listen(httpServer: Server, { port, host }: Config): Promise<number> {
  return new Promise((resolve, reject) => {
    httpServer.once("error", (error: NodeJS.ErrnoException) => reject(cannotListen(error, port)));
    httpServer.listen({ port, host }, () => resolve((httpServer.address() as AddressInfo).port));
  });
}

function cannotListen(error: NodeJS.ErrnoException, port: number): Error {
  const reasons: Record<string, string> = {
    EADDRINUSE: `Port ${port} is taken. Stop what uses it, or set PORT to another.`,
    EACCES: `Port ${port} may not be used. Set PORT to one above 1023.`,
  };
  const reason = reasons[error.code ?? ""];
  return reason ? new AppError("INVALID_CONFIGURATION", reason, {}, { cause: error }) : error;
}
