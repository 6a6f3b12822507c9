/** Malformed requests of each kind, over HTTP and WebSocket. Each resolves to what was wrong with the answer. */
import { once } from "node:events";
import { connect } from "node:net";
import { WebSocket } from "ws";
import type { Random } from "../../src/engine/random.ts";
import { mutateBytes, mutateText } from "./mutate.ts";
import { errorsIn, wrongAnswer } from "./verdict.ts";

export interface Target {
  readonly url: string;
  readonly key: string;
  /** Images in each format that is taken. */
  readonly images: readonly Uint8Array[];
}

export type Attempt = (target: Target, random: Random) => Promise<string | undefined>;

const ANSWER_LIMIT_MS = 20_000;
const CLASSIFY = `query ($image: ImageInput!) {
  classify(input: { images: [$image], modelId: "model_scenes-badnet", labels: ["cat", "dog"], through: { templates: [] } }) {
    results { __typename ... on ImageRejected { code message } }
  }
}`;
const DOCUMENTS = [
  "{ viewer { tenant key } }",
  "query Q($id: ID!) { node(id: $id) { id ... on Dataset { name labels size } } }",
  "{ models(first: 3) { id name } jobs(first: 2) { id status events(afterSeq: 0, first: 2) { seq } } }",
  'mutation { moveAlias(ref: { promptSet: "none", alias: "live" }, to: "version_none") { userErrors { code path } } }',
  "subscription S($id: ID!) { jobEvents(jobId: $id) { seq ... on StatusChanged { status } } }",
  "{ __schema { types { name fields { name args { name type { name ofType { name } } } } } } }",
];

const pick = <Item>(items: readonly Item[], random: Random): Item => items[random.below(items.length)];

async function ask(
  { url, key }: Target,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string>,
  path = "/graphql",
): Promise<string | undefined> {
  const authorization = `Bearer ${key}`;
  const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
  try {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { authorization, ...headers },
      body,
      signal,
    });
    return wrongAnswer(response.status, await response.text());
  } catch (error) {
    return `no answer: ${error instanceof Error ? `${error.message} ${String(error.cause ?? "")}` : String(error)}`;
  }
}

const JSON_TYPE = { "content-type": "application/json" };

/** In half of them the document is broken, in the others the JSON around it. */
function brokenOperation(random: Random): string {
  const query = pick(DOCUMENTS, random);
  const variables = { id: pick(["job_x", "dataset_scenes-shots", ""], random) };
  return random.below(2) === 0
    ? JSON.stringify({ query: mutateText(query, random), variables })
    : mutateText(JSON.stringify({ query, variables }), random);
}

export const graphqlDocument: Attempt = (target, random) => ask(target, brokenOperation(random), JSON_TYPE);

export const eventStream: Attempt = (target, random) => {
  const last = mutateText("12", random)
    .replace(/[^\x20-\x7e]/g, "")
    .trim();
  const headers = { ...JSON_TYPE, accept: "text/event-stream", "last-event-id": last };
  return ask(target, brokenOperation(random), headers, "/graphql/stream");
};

export const multipartBody: Attempt = (target, random) => {
  const part = (name: string, content: string | Uint8Array, file = ""): Buffer =>
    Buffer.concat([
      Buffer.from(`--edge\r\ncontent-disposition: form-data; name="${name}"${file}\r\n\r\n`),
      Buffer.from(content as Uint8Array),
      Buffer.from("\r\n"),
    ]);
  const operations = JSON.stringify({ query: CLASSIFY, variables: { image: { upload: null } } });
  const body = Buffer.concat([
    part("operations", operations),
    part("map", '{"0":["variables.image.upload"]}'),
    part("0", pick(target.images, random), '; filename="x.png"'),
    Buffer.from("--edge--\r\n"),
  ]);
  const headers = { "content-type": "multipart/form-data; boundary=edge" };
  return ask(target, new Uint8Array(mutateBytes(body, random)), headers);
};

export const imageBytes: Attempt = (target, random) => {
  const base64 = mutateBytes(pick(target.images, random), random).toString("base64");
  return ask(target, JSON.stringify({ query: CLASSIFY, variables: { image: { base64 } } }), JSON_TYPE);
};

/** Half of them are broken messages of graphql-transport-ws, the others broken frames below it. */
export const webSocketFrame: Attempt = (target, random) =>
  random.below(2) === 0 ? brokenMessage(target, random) : brokenFrame(target, random);

async function brokenMessage({ url, key }: Target, random: Random): Promise<string | undefined> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/graphql`, "graphql-transport-ws");
  const received: string[] = [];
  try {
    await once(socket, "open");
    const ended = new Promise<number>((resolve) => {
      socket.on("close", resolve);
      socket.on("message", (data) => {
        received.push(String(data));
        if (String(data).includes('"pong"')) resolve(1000);
      });
    });
    const message = { id: "1", type: "subscribe", payload: JSON.parse(unbroken(random)) };
    socket.send(JSON.stringify({ type: "connection_init", payload: { authorization: `Bearer ${key}` } }));
    socket.send(mutateText(JSON.stringify(message), random));
    socket.send('{"type":"ping"}');
    const code = await Promise.race([ended, late()]);
    if (code === "late") return "no answer to a WebSocket message";
    if (code === 1011 || code === 4500 || code === 1006) return `the WebSocket was closed with ${code}`;
    const untyped = received.map((text) => wrongAnswer(200, JSON.stringify({ errors: errorsIn(text) })));
    return untyped.find((wrong) => wrong !== undefined);
  } catch (error) {
    return `no WebSocket: ${String(error)}`;
  } finally {
    socket.terminate();
  }
}

const unbroken = (random: Random): string =>
  JSON.stringify({ query: pick(DOCUMENTS, random), variables: { id: "job_x" } });

/** Whatever comes back; the next request tells whether the server still lives. */
async function brokenFrame({ url }: Target, random: Random): Promise<string | undefined> {
  const { hostname, port } = new URL(url);
  const text = Buffer.from(JSON.stringify({ type: "ping" }));
  const frame = Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]);
  const handshake = [
    "GET /graphql HTTP/1.1",
    `host: ${hostname}`,
    "connection: Upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol: graphql-transport-ws",
    "\r\n",
  ].join("\r\n");
  const socket = connect(Number(port), hostname).resume();
  socket.on("error", () => {});
  const closed = once(socket, "close");
  socket.end(Buffer.concat([Buffer.from(handshake), mutateBytes(frame, random)]));
  const outcome = await Promise.race([closed, late()]);
  socket.destroy();
  return outcome === "late" ? "a WebSocket with a broken frame stayed open" : undefined;
}

const late = (): Promise<"late"> =>
  new Promise((resolve) => setTimeout(resolve, ANSWER_LIMIT_MS, "late").unref());
