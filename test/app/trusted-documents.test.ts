import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { TrustedDocuments } from "../../src/http/trusted-documents.ts";
import { createSchema } from "../../src/resolvers/schema.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { ADMIN_KEY, type Answer, startTestServer, type TestServer } from "./server.ts";

const WHO = "query Who { viewer { tenant } }";
const FREE = "query Free { viewer { tenant key } }";
const hash = createHash("sha256").update(WHO).digest("hex");

function manifestOf(content: unknown): string {
  const path = join(temporaryFolder(), "manifest.json");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

type Ask = (parameters: object, key: string) => Promise<string | undefined>;

const outcome = ({ data, errors }: Answer): string => errors?.[0].extensions.code ?? data.viewer.tenant;

/** The ways in; each answers the tenant's name, or the code of the refusal. */
const waysInto = (server: () => TestServer): Record<string, Ask> => ({
  "HTTP POST": async (parameters, key) => {
    const response = await server().fetch("/graphql", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify(parameters),
    });
    return outcome((await response.json()) as Answer);
  },
  "HTTP GET": async (parameters, key) => {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters))
      search.set(name, typeof value === "string" ? value : JSON.stringify(value));
    const response = await server().fetch(`/graphql?${search}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    return outcome((await response.json()) as Answer);
  },
  "server-sent events": async (parameters, key) => {
    const response = await server().fetch("/graphql/stream", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify(parameters),
    });
    const [, data] = /^data: (.+)$/m.exec(await response.text()) as RegExpExecArray;
    return outcome(JSON.parse(data) as Answer);
  },
  WebSocket: async (parameters, key) => {
    const client = createClient({
      url: `${server().app.url.replace("http", "ws")}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${key}` },
      retryAttempts: 0,
    });
    try {
      const { value } = await client.iterate({ query: "", ...parameters }).next();
      return outcome(value as unknown as Answer);
    } catch (refusal) {
      return (refusal as Answer["errors"])?.[0].extensions.code;
    } finally {
      await client.dispose();
    }
  },
});

const byHash = (sha256Hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash } } });

describe.each(["allow", "only"] as const)("where the manifest's documents are trusted, mode %s", (mode) => {
  let server: TestServer;
  let key: string;

  beforeAll(async () => {
    const path = manifestOf({ who: WHO });
    server = await startTestServer({ TRUSTED_DOCUMENTS: path, TRUSTED_DOCUMENTS_MODE: mode });
    key = await server.tenant("app", ["CLASSIFY"]);
  });

  describe.each(Object.entries(waysInto(() => server)))("over %s", (_transport, ask) => {
    test.each<[string, object, string]>([
      ["an id of the manifest", { documentId: "who" }, "app"],
      ["the hash of a document in it", { documentId: `sha256:${hash}` }, "app"],
      ["Apollo's hash", byHash(hash), "app"],
      ["the text of a document in it", { query: WHO }, "app"],
      ["an id that is not in it", { documentId: "nobody" }, "PERSISTED_QUERY_NOT_FOUND"],
      ["a hash that is not in it", byHash("0".repeat(64)), "PERSISTED_QUERY_NOT_FOUND"],
      ["another document", { query: FREE }, mode === "only" ? "DOCUMENT_NOT_TRUSTED" : "app"],
      [
        "another document that is to be added",
        { query: FREE, ...byHash(createHash("sha256").update(FREE).digest("hex")) },
        mode === "only" ? "DOCUMENT_NOT_TRUSTED" : "app",
      ],
      // Nothing that came before has added it.
      [
        "it again by its hash",
        byHash(createHash("sha256").update(FREE).digest("hex")),
        "PERSISTED_QUERY_NOT_FOUND",
      ],
    ])("%s is answered as it should be", async (_what, parameters, expected) => {
      expect(await ask(parameters, key)).toBe(expected);
    });

    test("an operator may ask for anything", async () => {
      expect(await ask({ query: FREE }, ADMIN_KEY)).toBe("demo");
    });
  });
});

describe("a manifest", () => {
  const schema = createSchema();
  const read = (content: unknown) => TrustedDocuments.read(manifestOf(content), "only", schema);

  test("may be the list that Apollo's tools write", async () => {
    const documents = await read({
      format: "apollo-persisted-query-manifest",
      version: 1,
      operations: [{ id: hash, name: "Who", type: "query", body: WHO }],
    });
    expect(documents.resolve(byHash(hash), undefined).query).toBe(WHO);
  });

  test.each([
    ["is no JSON", "{", "JSON"],
    ["is something else", ["query"], "documents by their ids"],
    [
      "has documents that the schema does not know",
      { good: WHO, bad: "{ nothing }", worse: "{" },
      "\n  bad: Cannot query",
    ],
  ])("that %s does not let the server start", async (_what, content, words) => {
    await expect(read(content)).rejects.toMatchObject({
      code: "INVALID_CONFIGURATION",
      message: expect.stringContaining(words),
    });
  });

  test("is not needed: then no document has an id", () => {
    const none = TrustedDocuments.none();
    expect(none.resolve({ query: FREE }, undefined).query).toBe(FREE);
    expect(() => none.resolve({ documentId: "who" }, undefined)).toThrow("PersistedQueryNotFound");
  });
});
