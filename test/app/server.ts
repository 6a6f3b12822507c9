import { join } from "node:path";
import { afterAll } from "@jest/globals";
import { createClient as createStreamClient } from "graphql-sse";
import { createClient } from "graphql-ws";
import pino from "pino";
import { WebSocket } from "ws";
import { type App, type AppOptions, startApp } from "../../src/app.ts";
import { type Config, readConfig } from "../../src/config.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

export const ADMIN_KEY = "the-admin-key-of-the-tests";
export const ZOO = join(__dirname, "../../zoo");

export interface PublicError {
  readonly message: string;
  readonly extensions: {
    readonly code: string;
    readonly requestId: string;
    readonly [name: string]: unknown;
  };
}

export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it asked for.
  readonly data: any;
  readonly extensions?: object;
  readonly errors?: readonly PublicError[];
}

export interface Call {
  readonly key?: string | undefined;
  readonly headers?: Record<string, string>;
}

/** Somebody outside, who knows the server's address. */
export interface Client {
  /** Asks over HTTP, with the admin key unless another (or undefined) is given. */
  ask(query: string, variables?: object, call?: Call): Promise<Answer>;
  /** Sends files as a multipart request; each goes to the variable that its path names. */
  upload(query: string, variables: object, files: Record<string, Uint8Array>, call?: Call): Promise<Response>;
  /** All answers over WebSocket. */
  follow(
    query: string,
    variables?: object,
    key?: string,
    extensions?: Record<string, unknown>,
  ): Promise<Answer[]>;
  /** All answers over server-sent events. */
  stream(query: string, variables?: object, key?: string): Promise<Answer[]>;
  fetch(path: string, options?: RequestInit): Promise<Response>;
  /** Makes a tenant, and a key for it. */
  tenant(name: string, scopes: readonly string[]): Promise<string>;
}

/** The real server on a free port, with the bundled models and an empty store of its own. */
export interface TestServer extends Client {
  readonly app: App;
  readonly config: Config;
  readonly log: string[];
  close(): Promise<void>;
}

/** Resolves when so many subscriptions are open at the server: a client is not told when its own has begun. */
export async function untilSubscribed(server: Client, count = 1): Promise<void> {
  const open = new RegExp(`^antidote_subscriptions ${count}$`, "m");
  await until(async () => open.test(await (await server.fetch("/metrics")).text()), 20);
}

const running = new Set<App>();

afterAll(async () => {
  for (const app of running) await app.close();
});

/**
 * Jobs give way to nobody here, since all that a test does meanwhile is wait for them; and no image is refused because
 * the machine is slow, for which some tests ask on purpose.
 */
export const OURS = { DEVICE: "cpu", THREADS: "1", JOB_NICENESS: "0", MAX_WAIT_MS: "3600000", ADMIN_KEY };

export async function startTestServer(
  variables: Record<string, string> = {},
  options: Pick<AppOptions, "scheduleMilliseconds" | "handlersModule"> = {},
): Promise<TestServer> {
  const config = {
    ...readConfig({ ...OURS, DATA_DIR: temporaryFolder(), ...variables }),
    port: 0,
  };
  const log: string[] = [];
  const logger = pino({ level: "info" }, { write: (line: string) => void log.push(line) });
  const app = await startApp(config, { logger, ...options });
  const close = async () => {
    if (running.delete(app)) await app.close();
  };
  running.add(app);
  return { app, config, log, close, ...clientOf(app.url) };
}

export function clientOf(url: string): Client {
  const headersOf = (call: Call): Record<string, string> => {
    const key = "key" in call ? call.key : ADMIN_KEY;
    return { ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...call.headers };
  };
  const ask: Client["ask"] = async (query, variables = {}, call = {}) => {
    const response = await fetch(`${url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headersOf(call) },
      body: JSON.stringify({ query, variables }),
    });
    return (await response.json()) as Answer;
  };
  return {
    ask,
    fetch: (path, options) => fetch(url + path, options),
    upload: (query, variables, files, call = {}) => {
      const form = new FormData();
      form.set("operations", JSON.stringify({ query, variables }));
      const paths = Object.keys(files);
      form.set(
        "map",
        JSON.stringify(Object.fromEntries(paths.map((path, index) => [index, [`variables.${path}`]]))),
      );
      paths.forEach((path, index) => {
        form.set(String(index), new Blob([files[path] as Uint8Array<ArrayBuffer>]), `file-${index}`);
      });
      return fetch(`${url}/graphql`, { method: "POST", headers: headersOf(call), body: form });
    },
    follow: async (query, variables = {}, key = ADMIN_KEY, extensions = {}) => {
      const client = createClient({
        url: `${url.replace("http", "ws")}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { authorization: `Bearer ${key}` },
        retryAttempts: 0,
      });
      const answers: Answer[] = [];
      try {
        for await (const answer of client.iterate({ query, variables: { ...variables }, extensions }))
          answers.push(answer as unknown as Answer);
      } finally {
        await client.dispose();
      }
      return answers;
    },
    stream: async (query, variables = {}, key = ADMIN_KEY) => {
      const client = createStreamClient({
        url: `${url}/graphql/stream`,
        headers: { authorization: `Bearer ${key}` },
        retryAttempts: 0,
      });
      const answers: Answer[] = [];
      for await (const answer of client.iterate({ query, variables: { ...variables } }))
        answers.push(answer as unknown as Answer);
      return answers;
    },
    tenant: async (name, scopes) => {
      await ask(`mutation ($name: String!) { createTenant(name: $name) { userErrors { message } } }`, {
        name,
      });
      const { data } = await ask(
        `mutation ($name: String!, $scopes: [Scope!]!) {
          createKey(tenant: $name, name: "test", scopes: $scopes) { secret }
        }`,
        { name, scopes },
      );
      return data.createKey.secret;
    },
  };
}

/** Shots of three labels are enough to try things out, and fast. */
export const FEW_LABELS = ["apple", "banana", "house"];

/** Makes every job as short as it can be. */
export const QUICK = {
  labels: FEW_LABELS,
  shots: 2,
  radius: 2,
  innerSteps: 1,
  innerBatch: 1,
  // All of them take three fifths of a short purification.
  gratingCycles: 1,
  views: 1,
  epochs: 1,
  warmupEpochs: 0,
};

export const PURIFY = `mutation ($input: PurifyInput!, $key: String!, $dryRun: Boolean) {
  purify(input: $input, idempotencyKey: $key, dryRun: $dryRun) {
    job { id status }
    replayed
    userErrors { code message path }
  }
}`;

export const quickPurification = (promptSet: string) => ({
  modelId: "model_scenes-badnet",
  datasetId: "dataset_scenes-shots",
  promptSet,
  ...QUICK,
});

/** Runs a short purification to its end; the version's id. */
export async function purifyQuickly(
  server: TestServer,
  promptSet: string,
  key = "quick",
  more: object = {},
): Promise<string> {
  const input = { ...quickPurification(promptSet), ...more };
  const { data } = await server.ask(PURIFY, { input, key });
  await server.follow(`subscription ($id: ID!) { jobEvents(jobId: $id) { seq } }`, {
    id: data.purify.job.id,
  });
  const done = await server.ask(
    `query ($id: ID!) {
    job(id: $id) { status failure { message } ... on PurificationJob { result { id } } }
  }`,
    { id: data.purify.job.id },
  );
  if (!done.data.job.result) throw new Error(JSON.stringify(done));
  return done.data.job.result.id;
}
