/** Subscriptions that were left open when their connection, or their server, had gone. */
import { once } from "node:events";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { ADMIN_KEY, startTestServer, type TestServer, untilSubscribed } from "../app/server.ts";

const WATCH = "subscription { jobs { id } }";

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

/** A WebSocket with subscriptions that have begun. */
async function subscribed({ app }: TestServer, count: number): Promise<WebSocket> {
  const socket = new WebSocket(`${app.url.replace("http", "ws")}/graphql`, "graphql-transport-ws");
  await once(socket, "open");
  socket.send(JSON.stringify({ type: "connection_init", payload: { authorization: `Bearer ${ADMIN_KEY}` } }));
  await once(socket, "message");
  for (let id = 0; id < count; id++)
    socket.send(JSON.stringify({ type: "subscribe", id: String(id), payload: { query: WATCH } }));
  // Answered after what was sent before it.
  socket.send(JSON.stringify({ type: "ping" }));
  await once(socket, "message");
  return socket;
}

const stream = ({ fetch }: TestServer, signal?: AbortSignal) =>
  fetch("/graphql/stream", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${ADMIN_KEY}` },
    body: JSON.stringify({ query: WATCH }),
    signal,
  });

/** What the server counts as open, once it is none. */
async function nothingOpen(name: string): Promise<void> {
  for (;;) {
    const page = await (await server.fetch("/metrics")).text();
    if (page.includes(`\n${name} 0\n`)) return;
  }
}

describe("subscriptions of a tenant", () => {
  test("are a thousand at most, over all its connections and transports", async () => {
    const crowded = await startTestServer();
    const sockets = await Promise.all(Array.from({ length: 9 }, () => subscribed(crowded, 100)));
    await Promise.all(Array.from({ length: 99 }, () => stream(crowded)));
    const last = await subscribed(crowded, 1);
    await untilSubscribed(crowded, 1000);
    for (const ask of [crowded.follow, crowded.stream]) {
      const [{ errors }] = await ask(WATCH);
      expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["QUOTA_EXCEEDED"]);
    }
    // Queries have bounds of their own, and other tenants theirs.
    expect((await crowded.follow("{ viewer { tenant } }"))[0].errors).toBeUndefined();
    last.terminate();
    await untilSubscribed(crowded, 999);
    await subscribed(crowded, 1);
    await untilSubscribed(crowded, 1000);
    for (const socket of sockets) socket.terminate();
    await crowded.close();
  });
});

describe("subscriptions end", () => {
  test("with the connection that they were made on, however it ends", async () => {
    for (const leave of [
      (socket: WebSocket) => socket.terminate(),
      (socket: WebSocket) => socket.close(1000),
      (socket: WebSocket) => socket.close(4000, "tired"),
    ]) {
      const socket = await subscribed(server, 50);
      leave(socket);
      await once(socket, "close");
    }
    await nothingOpen("antidote_websockets");
    await nothingOpen("antidote_subscriptions");
  });

  test("with the stream that they are", async () => {
    const leaving = new AbortController();
    await Promise.all(Array.from({ length: 20 }, () => stream(server, leaving.signal)));
    leaving.abort();
    await nothingOpen("antidote_subscriptions");
  });

  test("with their server, which tells that it goes away, and keeps nothing waiting", async () => {
    const other = await startTestServer();
    const socket = await subscribed(other, 50);
    const streams = await Promise.all(Array.from({ length: 20 }, () => stream(other)));
    const closed = once(socket, "close");
    const texts = streams.map((response) => response.text());
    await other.close();
    expect((await closed)[0]).toBe(1001);
    for (const text of texts) expect(await text).not.toContain("event: complete");
    await expect(other.fetch("/healthz")).rejects.toThrow();
  });
});
