import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { AppError } from "./errors.ts";

const MEGABYTE = 1024 * 1024;

/** The package's own folder, from the sources and from the compiled program alike. */
export const packageRoot = findPackageRoot(dirname(fileURLToPath(import.meta.url)));

export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string }).version;
}

const folder = (fallback: string) =>
  z
    .string()
    .trim()
    .min(1, "must name a folder")
    .default(fallback)
    .transform((path) => resolve(path));

const wholeBetween = (minimum: number, maximum: number) => {
  const message = `must be a whole number from ${minimum} to ${maximum}`;
  return z.coerce.number(message).int(message).min(minimum, message).max(maximum, message);
};

const whole = (minimum: number, maximum: number, fallback: number) =>
  wholeBetween(minimum, maximum).default(fallback);

const megabytes = (maximum: number, fallback: number, minimum = 1) =>
  whole(minimum, maximum, fallback).transform((value) => value * MEGABYTE);

const oneOf = <const Choice extends string>(choices: readonly Choice[], fallback: NoInfer<Choice>) =>
  z
    .string()
    .default(fallback)
    .refine(
      (value): value is Choice => choices.includes(value as Choice),
      `must be one of ${choices.join(", ")}`,
    )
    .transform((value) => value as Choice);

/** Variables whose value is never printed. */
const SECRET: ReadonlySet<string> = new Set([
  "ADMIN_KEY",
  "REDIS_URL",
  "S3_ACCESS_KEY_ID",
  "S3_SECRET_ACCESS_KEY",
  "S3_SESSION_TOKEN",
]);

const secret = z
  .string()
  .regex(/^[\x21-\x7e]{1,2048}$/, "must have printable characters and no spaces")
  .optional();

function isRedisUrl(value: string): boolean {
  return URL.canParse(value) && ["redis:", "rediss:"].includes(new URL(value).protocol);
}

/** Written as a URL writes it. */
function isHost(host: string): boolean {
  const url = `http://${host.includes(":") ? `[${host}]` : host}/`;
  return URL.canParse(url) && new URL(url).href === url && !/[/@?#]/.test(host);
}

function isWebUrl(value: string): boolean {
  return URL.canParse(value) && ["http:", "https:"].includes(new URL(value).protocol);
}

/** Every environment variable that the server reads, with its range and default. */
export const environment = z.object({
  PORT: whole(0, 65535, 4000),
  HOST: z.string().trim().min(1, "must name an address, e.g. 127.0.0.1").optional(),
  DATA_DIR: folder("data"),
  MODELS_DIR: folder(join(packageRoot, "zoo", "models")).refine(existsSync, "is not a folder that exists"),
  ADMIN_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{8,512}$/, "must have 8 to 512 printable characters and no spaces")
    .optional(),
  REDIS_URL: z
    .string()
    .refine(isRedisUrl, "must look like redis://host:6379, or rediss:// for TLS")
    .optional(),
  REDIS_PREFIX: z
    .string()
    .regex(/^[\w.{}-]{1,64}$/, "must have 1 to 64 letters, digits and _ . { } -")
    .default("antidote"),
  S3_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "must have 3 to 63 small letters, digits, . and -")
    .optional(),
  S3_ENDPOINT: z
    .string()
    .refine(isWebUrl, "must look like https://host, or http://host:9000 without TLS")
    .optional(),
  S3_REGION: z
    .string()
    .regex(/^[\w-]{1,64}$/, "must have 1 to 64 letters, digits and -")
    .default("us-east-1"),
  S3_ACCESS_KEY_ID: secret,
  S3_SECRET_ACCESS_KEY: secret,
  S3_SESSION_TOKEN: secret,
  S3_PATH_STYLE: oneOf(["auto", "0", "1"], "auto"),
  S3_PREFIX: z
    .string()
    .regex(/^[\w.-]{1,64}$/, "must have 1 to 64 letters, digits and _ . -")
    .default("antidote"),
  JOB_LOCK_SECONDS: whole(1, 3600, 30),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.string().refine(isWebUrl, "must look like http://collector:4318").optional(),
  METRICS_PORT: wholeBetween(0, 65535).optional(),
  DRAIN_SECONDS: whole(0, 3600, 0),
  DEVICE: oneOf(["auto", "cpu", "cuda", "webgpu"], "auto"),
  THREADS: whole(1, 1024, availableParallelism()),
  ALLOW_ATTACKS: oneOf(["0", "1"], "0"),
  JOB_CONCURRENCY: whole(1, 64, 1),
  JOB_NICENESS: whole(0, 19, 15),
  TRUSTED_DOCUMENTS: z
    .string()
    .trim()
    .transform((path) => resolve(path))
    .refine(existsSync, "is not a file that exists")
    .optional(),
  TRUSTED_DOCUMENTS_MODE: oneOf(["allow", "only"], "allow"),
  LOG_LEVEL: oneOf(
    ["trace", "debug", "info", "warn", "error", "fatal", "silent"],
    process.stdout.isTTY ? "warn" : "info",
  ),
  AUDIT_RETENTION_DAYS: whole(1, 3650, 90),
  BLOB_RETENTION_HOURS: whole(0, 87_600, 168),
  JOB_RESUME_DAYS: whole(1, 3650, 30),
  WEBHOOK_HOSTS: z
    .string()
    .default("")
    .transform((text) => text.split(",").map((host) => host.trim().toLowerCase()))
    .transform((hosts) => hosts.filter((host) => host !== ""))
    .refine(
      (hosts) => hosts.every(isHost),
      "must be host names or addresses, without ports, separated by commas",
    ),
  RATE_LIMIT: whole(100, 1_000_000_000, 1_000_000),
  MAX_REQUEST_MB: megabytes(1024, 64),
  MAX_UPLOAD_MB: megabytes(2048, 256),
  MAX_UPLOAD_FILES: whole(1, 20_000, 2_000),
  MAX_IMAGE_MB: megabytes(256, 16),
  MAX_IMAGE_MEGAPIXELS: whole(1, 1000, 40).transform((value) => value * 1_000_000),
  MAX_CLASSIFY_IMAGES: whole(1, 4096, 256),
  MAX_WAITING_IMAGES: whole(1, 1_000_000, 2048),
  MAX_WAIT_MS: whole(1, 3_600_000, 2_000),
  EMBEDDING_CACHE_MB: megabytes(65_536, 16, 0),
  MODEL_IDLE_MINUTES: whole(0, 20_160, 60),
  MAX_DATASET_IMAGES: whole(1, 1_000_000, 20_000),
});

type Variables = z.infer<typeof environment>;

export type LogLevel = Variables["LOG_LEVEL"];

export interface Limits {
  /** Bytes of a request's JSON, and of one WebSocket message. */
  readonly requestBytes: number;
  /** Bytes of all files of one multipart request together, and what one archive may unpack to. */
  readonly uploadBytes: number;
  readonly uploadFiles: number;
  /** Bytes of one encoded image, and its width times height. */
  readonly imageBytes: number;
  readonly imagePixels: number;
  readonly classifyImages: number;
  /** Images that may wait for a model beside those of one request, and how long they may be expected to. */
  readonly waitingImages: number;
  readonly waitMilliseconds: number;
  /** What embeddings that were computed before may take; 0 keeps none. */
  readonly embeddingCacheBytes: number;
  readonly datasetImages: number;
  /** Cost units that a tenant may spend in a minute; the cost of each field is in the schema. */
  readonly costPerMinute: number;
}

export interface S3Config {
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
  readonly pathStyle: boolean;
  readonly prefix: string;
}

export interface Config {
  readonly port: number;
  /** All addresses of the machine when absent. */
  readonly host: string | undefined;
  readonly dataFolder: string;
  readonly modelsFolder: string;
  /** Files that the package brings along: shots and sample images of the demo tenant. */
  readonly zooFolder: string;
  readonly adminKey: string | undefined;
  /** Where servers and workers share their store and their queue; absent, this process is alone. */
  readonly redis: { readonly url: string; readonly prefix: string } | undefined;
  /** Where files are that servers and workers share; absent, in the data folder. */
  readonly s3: S3Config | undefined;
  /** A worker that was not heard of for so long is taken for dead. */
  readonly jobLockSeconds: number;
  /** Where traces are sent; nowhere when absent. */
  readonly tracesEndpoint: string | undefined;
  /** Where a worker shows that it is alive, and its metrics; nowhere when absent. */
  readonly metricsPort: number | undefined;
  /** How long a server that is to stop answers requests while it says that it is not ready. */
  readonly drainSeconds: number;
  readonly device: "auto" | "cpu" | "cuda" | "webgpu";
  readonly threads: number;
  /** A model that nobody has asked for so long leaves the memory; 0 keeps all. */
  readonly modelIdleMinutes: number;
  readonly jobConcurrency: number;
  /** How far a job's process gives way to others, as nice counts. */
  readonly jobNiceness: number;
  /** Whether operators may have poisoned models made. */
  readonly attacksAllowed: boolean;
  /** How long the log of mutations is kept. */
  readonly auditRetentionDays: number;
  /** How long images and tensors that nothing names any more are kept aside before they are removed; 0 keeps all. */
  readonly blobRetentionHours: number;
  /** How long a job that has failed or was cancelled can be resumed, and keeps what it needs for that. */
  readonly jobResumeDays: number;
  /** The manifest of documents that are asked for by id, and whether others are answered beside them. */
  readonly trustedDocuments: { readonly path: string; readonly mode: "allow" | "only" } | undefined;
  /** Hosts that webhooks may reach also where they are private or without TLS. */
  readonly webhookHosts: readonly string[];
  readonly logLevel: LogLevel;
  readonly limits: Limits;
}

/** Reads the environment. Fails with INVALID_CONFIGURATION whose message lists every problem, one to a line. */
export function readConfig(variables: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.entries(variables).filter(([, value]) => value !== undefined && value !== "");
  const parsed = environment.safeParse(Object.fromEntries(given));
  const problems = [...(parsed.error?.issues ?? []), ...missingKeys(variables)];
  if (!parsed.success || problems.length > 0) throw invalid(problems, variables);
  const values = parsed.data;
  return {
    port: values.PORT,
    host: values.HOST,
    dataFolder: values.DATA_DIR,
    modelsFolder: values.MODELS_DIR,
    zooFolder: join(packageRoot, "zoo"),
    adminKey: values.ADMIN_KEY,
    redis:
      values.REDIS_URL === undefined ? undefined : { url: values.REDIS_URL, prefix: values.REDIS_PREFIX },
    s3: s3Of(values),
    jobLockSeconds: values.JOB_LOCK_SECONDS,
    tracesEndpoint: values.OTEL_EXPORTER_OTLP_ENDPOINT,
    metricsPort: values.METRICS_PORT,
    drainSeconds: values.DRAIN_SECONDS,
    device: values.DEVICE,
    threads: values.THREADS,
    attacksAllowed: values.ALLOW_ATTACKS === "1",
    modelIdleMinutes: values.MODEL_IDLE_MINUTES,
    jobConcurrency: values.JOB_CONCURRENCY,
    jobNiceness: values.JOB_NICENESS,
    auditRetentionDays: values.AUDIT_RETENTION_DAYS,
    blobRetentionHours: values.BLOB_RETENTION_HOURS,
    jobResumeDays: values.JOB_RESUME_DAYS,
    trustedDocuments:
      values.TRUSTED_DOCUMENTS === undefined
        ? undefined
        : { path: values.TRUSTED_DOCUMENTS, mode: values.TRUSTED_DOCUMENTS_MODE },
    webhookHosts: values.WEBHOOK_HOSTS,
    logLevel: values.LOG_LEVEL,
    limits: {
      requestBytes: values.MAX_REQUEST_MB,
      uploadBytes: values.MAX_UPLOAD_MB,
      uploadFiles: values.MAX_UPLOAD_FILES,
      imageBytes: values.MAX_IMAGE_MB,
      imagePixels: values.MAX_IMAGE_MEGAPIXELS,
      classifyImages: values.MAX_CLASSIFY_IMAGES,
      waitingImages: values.MAX_WAITING_IMAGES,
      waitMilliseconds: values.MAX_WAIT_MS,
      embeddingCacheBytes: values.EMBEDDING_CACHE_MB,
      datasetImages: values.MAX_DATASET_IMAGES,
      costPerMinute: values.RATE_LIMIT,
    },
  };
}

/** What a bucket cannot do without. */
function missingKeys(variables: Parameters<typeof readConfig>[0]): Problem[] {
  if (!variables.S3_BUCKET) return [];
  return ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"]
    .filter((name) => !variables[name])
    .map((name) => ({ path: [name], message: "must be set with S3_BUCKET" }));
}

/** Amazon's own storage wants the bucket in the host's name. */
function s3Of(values: Variables): S3Config | undefined {
  const { S3_BUCKET: bucket, S3_REGION: region, S3_ENDPOINT: endpoint, S3_PATH_STYLE: style } = values;
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = values;
  if (bucket === undefined || accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return {
    endpoint: endpoint ?? `https://s3.${region}.amazonaws.com`,
    bucket,
    region,
    accessKeyId,
    secretAccessKey,
    sessionToken: values.S3_SESSION_TOKEN,
    pathStyle: style === "auto" ? endpoint !== undefined : style === "1",
    prefix: values.S3_PREFIX,
  };
}

interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function invalid(
  issues: readonly Problem[],
  variables: Readonly<Record<string, string | undefined>>,
): AppError {
  const problems = issues.map(({ path, message }) => {
    const name = String(path[0]);
    return { name, message, value: SECRET.has(name) ? "(not shown)" : JSON.stringify(variables[name]) };
  });
  const width = Math.max(...problems.map(({ name }) => name.length));
  const lines = problems.map(
    ({ name, message, value }) => `  ${name.padEnd(width)}  ${message}; it is ${value}`,
  );
  const count =
    problems.length === 1 ? "One environment variable is" : `${problems.length} environment variables are`;
  return new AppError(
    "INVALID_CONFIGURATION",
    `${count} not valid:\n${lines.join("\n")}\nCorrect or unset them and start again.`,
    { problems: problems.map(({ name, message }) => `${name} ${message}`) },
  );
}

function findPackageRoot(start: string): string {
  if (existsSync(join(start, "package.json")) || dirname(start) === start) return start;
  return findPackageRoot(dirname(start));
}
