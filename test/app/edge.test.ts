import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { ADMIN_KEY, type Answer, startTestServer, type TestServer, ZOO } from "./server.ts";

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ MAX_REQUEST_MB: "1", MAX_UPLOAD_MB: "1" });
});

const json = (body: string, headers: Record<string, string> = {}) =>
  server.fetch("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });

describe("for an operator", () => {
  test("the server is alive, ready, and counts", async () => {
    expect((await server.fetch("/healthz")).status).toBe(200);
    expect(await (await server.fetch("/readyz")).json()).toEqual({ status: "ready" });
    expect(await (await server.fetch("/metrics")).text()).toContain("antidote_operation_seconds");
  });

  test("every answer has the caller's request id, or a new one", async () => {
    const given = await server.fetch("/healthz", { headers: { "x-request-id": "abc-1" } });
    expect(given.headers.get("x-request-id")).toBe("abc-1");
    const odd = await server.fetch("/healthz", { headers: { "x-request-id": "<script>" } });
    expect(odd.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe("the playground", () => {
  test("and all that it loads come from this server", async () => {
    const page = await (await server.fetch("/")).text();
    const addresses = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address);
    expect(addresses.length).toBeGreaterThan(5);
    for (const address of [...addresses, "/playground/tabs.js", "/playground/graphql-ws/client.js"]) {
      expect(address).toMatch(/^\/playground\//);
      expect((await server.fetch(address)).status).toBe(200);
    }
  });
});

describe("a key", () => {
  test("that is missing is asked for by the field that needs it", async () => {
    const response = await json(JSON.stringify({ query: "{ viewer { tenant } }" }));
    expect(response.status).toBe(401);
    const { errors } = (await response.json()) as { errors: { extensions: object }[] };
    const requestId = response.headers.get("x-request-id");
    expect(errors[0].extensions).toEqual({ code: "UNAUTHENTICATED", retryable: false, requestId });
  });

  test("that is not valid is refused, whatever is asked", async () => {
    for (const authorization of ["Bearer nobody", "Basic abc", `bearer ${ADMIN_KEY}x`, "Bearer "]) {
      const response = await json(JSON.stringify({ query: "{ __typename }" }), { authorization });
      expect(response.status).toBe(401);
    }
  });

  test("is not needed to read the schema", async () => {
    const { data } = await server.ask("{ __schema { queryType { name } } }", {}, { key: undefined });
    expect(data.__schema.queryType.name).toBe("Query");
  });
});

describe("a request that is not in order", () => {
  const cases: [string, string, number, string][] = [
    ["no JSON", "{", 400, "BAD_USER_INPUT"],
    ["no query", "{}", 400, "BAD_USER_INPUT"],
    ["no GraphQL", `{"query":"{ viewer {"}`, 400, "PARSE_FAILED"],
    ["an unknown field", `{"query":"{ nothing }"}`, 400, "VALIDATION_FAILED"],
    ["a subscription", `{"query":"subscription { jobs { id } }"}`, 400, "BAD_USER_INPUT"],
    [
      "a variable of the wrong type",
      `{"query":"query ($id: ID!) { node(id: $id) { id } }","variables":{"id":{}}}`,
      400,
      "BAD_USER_INPUT",
    ],
    [
      "a body beyond the limit",
      JSON.stringify({ query: `{ ${"x".repeat(1.1e6)} }` }),
      413,
      "PAYLOAD_TOO_LARGE",
    ],
  ];

  test.each(cases)("with %s is told so", async (_what, body, status, code) => {
    const response = await json(body, { authorization: `Bearer ${ADMIN_KEY}` });
    expect(response.status).toBe(status);
    const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
    expect(errors[0].extensions.code).toBe(code);
  });
});

describe("a POST that does not say that it is JSON", () => {
  test.each(["/graphql", "/graphql/stream"])("is told to, at %s", async (path) => {
    const response = await server.fetch(path, {
      method: "POST",
      headers: { authorization: `Bearer ${ADMIN_KEY}`, accept: "*/*", "content-type": "text/plain" },
      body: `{"query":"{ __typename }"}`,
    });
    expect(response.status).toBe(400);
    const { errors } = (await response.json()) as Answer;
    expect(errors?.[0].extensions.code).toBe("BAD_USER_INPUT");
    expect(errors?.[0].message).toContain("`content-type: application/json`");
  });
});

describe("an upload", () => {
  const query = `query ($input: ClassifyInput!) {
    classify(input: $input) { results { __typename ... on Prediction { labels { label } } ... on ImageRejected { code } } }
  }`;
  const input = {
    modelId: "model_scenes-badnet",
    through: { templates: [] },
    labels: ["house", "banana"],
    images: [{ upload: null }, { upload: null }],
  };
  const house = readFileSync(join(ZOO, "samples/house.png"));

  test("is classified, and a file that is none of the allowed kinds is the image's own problem", async () => {
    const files = { "input.images.0.upload": house, "input.images.1.upload": Buffer.from("<svg/>") };
    const response = await server.upload(query, { input }, files);
    const { data } = (await response.json()) as Answer;
    expect(data).toEqual({
      classify: {
        results: [
          { __typename: "Prediction", labels: [{ label: "house" }, { label: "banana" }] },
          { __typename: "ImageRejected", code: "UNSUPPORTED_TYPE" },
        ],
      },
    });
  });

  test("without a header that other sites cannot send is refused before it is read", async () => {
    const response = await server.upload(
      query,
      { input },
      { "input.images.0.upload": house },
      { key: undefined },
    );
    expect(response.status).toBe(403);
    const named = { key: undefined, headers: { "apollo-require-preflight": "1" } };
    expect((await server.upload(query, { input }, { "input.images.0.upload": house }, named)).status).toBe(
      401,
    );
  });

  test("beyond the limit of the request is refused", async () => {
    const files = { "input.images.0.upload": house, "input.images.1.upload": new Uint8Array(1.2e6) };
    const { errors } = (await (await server.upload(query, { input }, files)).json()) as {
      errors: { extensions: { code: string } }[];
    };
    expect(errors[0].extensions.code).toBe("PAYLOAD_TOO_LARGE");
    // The server goes on as if nothing had been.
    expect((await server.fetch("/healthz")).status).toBe(200);
  });

  test("cannot write where JavaScript keeps what all objects share", async () => {
    const form = new FormData();
    form.set("operations", JSON.stringify({ query, variables: { input } }));
    form.set("map", JSON.stringify({ 0: ["__proto__.polluted"] }));
    form.set("0", new Blob(["x"]), "x");
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const response = await server.fetch("/graphql", { method: "POST", headers, body: form });
    expect(response.status).toBe(400);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
