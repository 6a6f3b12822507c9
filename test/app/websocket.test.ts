import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { until } from "../support/until.ts";
import {
  ADMIN_KEY,
  PURIFY,
  quickPurification,
  startTestServer,
  type TestServer,
  untilSubscribed,
} from "./server.ts";

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ MAX_REQUEST_MB: "1" });
});

const address = () => `${server.app.url.replace("http", "ws")}/graphql`;

/** Asks for a WebSocket as a client that then does nothing more by itself. */
async function askToUpgrade(url: string, path: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(
    [
      `GET ${path} HTTP/1.1`,
      "host: test",
      "connection: upgrade",
      "upgrade: websocket",
      "sec-websocket-version: 13",
      "sec-websocket-protocol: graphql-transport-ws",
      `sec-websocket-key: ${Buffer.alloc(16).toString("base64")}`,
      "\r\n",
    ].join("\r\n"),
  );
  return socket;
}

describe("a WebSocket", () => {
  test("answers queries and mutations, not only subscriptions", async () => {
    const [answer] = await server.follow("{ viewer { tenant } }");
    expect(answer.data.viewer.tenant).toBe("demo");
  });

  test("refuses under a request's id of its own, whatever the message is called", async () => {
    const client = createClient({
      url: address(),
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${ADMIN_KEY}` },
      generateID: () => "the caller's words",
    });
    const refused = await client
      .iterate({ query: "{ nothing }" })
      .next()
      .catch((errors) => errors);
    await client.dispose();
    expect(refused).toMatchObject([{ extensions: { code: "VALIDATION_FAILED" } }]);
    expect(refused[0].extensions.requestId).toMatch(/^[\da-f]{8}-[\da-f-]{27}$/);
  });

  test("takes the key from the request that opens it, too", async () => {
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    class WithHeader extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { headers });
      }
    }
    const client = createClient({ url: address(), webSocketImpl: WithHeader });
    const { value } = await client.iterate({ query: "{ viewer { key } }" }).next();
    expect(value).toMatchObject({ data: { viewer: { key: "admin" } } });
    await client.dispose();
  });

  test("without a valid key is closed with the code for it", async () => {
    await expect(server.follow("{ __typename }", {}, "nobody")).rejects.toMatchObject({ code: 4401 });
    const client = createClient({ url: address(), webSocketImpl: WebSocket, retryAttempts: 0 });
    await expect(client.iterate({ query: "{ __typename }" }).next()).rejects.toMatchObject({ code: 4401 });
    await client.dispose();
  });

  test("is closed by a message beyond the limit, and by one that is none", async () => {
    for (const [message, code] of [
      ["x".repeat(1.1e6), 1009],
      ["{", 4400],
    ] as const) {
      const socket = new WebSocket(address(), "graphql-transport-ws");
      await once(socket, "open");
      socket.send(message);
      expect((await once(socket, "close"))[0]).toBe(code);
    }
    expect((await server.fetch("/healthz")).status).toBe(200);
  });

  test("is at one path only", async () => {
    const socket = new WebSocket(address().replace("/graphql", "/other"));
    const [error] = await once(socket, "error");
    expect(error.message).toContain("404");
  });

  test("at another path leaves the server alive when its asker breaks off", async () => {
    for (let times = 0; times < 50; times++) {
      const socket = await askToUpgrade(server.app.url, "/other");
      socket.resetAndDestroy();
      await sleep(2);
    }
    expect((await server.fetch("/healthz")).status).toBe(200);
  });

  test("at another path leaves nothing open with an asker that does not close", async () => {
    const socket = await askToUpgrade(server.app.url, "/other");
    socket.resume();
    await once(socket, "end");
    let isClosed = false;
    socket.once("close", () => {
      isClosed = true;
    });
    // Only writing tells a connection that is closed from one that is half open.
    for (let times = 0; times < 20 && !isClosed; times++) {
      socket.write("x");
      await sleep(20);
    }
    expect(isClosed).toBe(true);
  });

  test("of a client that does not answer holds up the end of its server for two seconds", async () => {
    const other = await startTestServer();
    const socket = await askToUpgrade(other.app.url, "/graphql");
    await once(socket, "data");
    const start = performance.now();
    await other.close();
    // The protocol's own patience is thirty.
    expect(performance.now() - start).toBeLessThan(15_000);
    socket.destroy();
  });

  test("counts no longer once it is closed", async () => {
    await server.follow("{ __typename }");
    const open = async () =>
      /^antidote_websockets (\d+)$/m.exec(await (await server.fetch("/metrics")).text())?.[1];
    await until(async () => (await open()) === "0", 20);
  });
});

describe("the jobs of a tenant", () => {
  test("are told as they change, until the subscriber leaves", async () => {
    const client = createClient({
      url: address(),
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${ADMIN_KEY}` },
    });
    const changes = client.iterate<{ jobs: { id: string; status: string } }>({
      query: "subscription { jobs { id status } }",
    });
    const first = changes.next();
    await untilSubscribed(server);
    const { data } = await server.ask(PURIFY, { input: quickPurification("watched"), key: "watched" });
    const seen = [(await first).value?.data?.jobs];
    for await (const change of changes) {
      seen.push(change.data?.jobs);
      if (change.data?.jobs.status === "SUCCEEDED") break;
    }
    expect(new Set(seen.map((job) => job?.id))).toEqual(new Set([data.purify.job.id]));
    expect(seen.at(-1)?.status).toBe("SUCCEEDED");
    await client.dispose();
  });
});
