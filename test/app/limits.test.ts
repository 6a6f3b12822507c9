import { beforeAll, describe, expect, test } from "@jest/globals";
import { startTestServer, type TestServer } from "./server.ts";

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ RATE_LIMIT: "30000" });
});

const nested = (depth: number): string =>
  `{ promptSet(name: "x") { versions { edges { node { ${"job { result { ".repeat(depth)} id ${"} }".repeat(depth)} } } } } }`;

const tooMuch: [string, string, string][] = [
  ["depth", nested(6), "VALIDATION_FAILED"],
  [
    "aliases",
    `{ ${Array.from({ length: 31 }, (_, index) => `a${index}: __typename`).join(" ")} }`,
    "VALIDATION_FAILED",
  ],
  ["tokens", `{ ${"viewer { tenant } ".repeat(2000)} }`, "PARSE_FAILED"],
  [
    "cost",
    "{ promptSets(first: 100) { versions(first: 100) { edges { node { classes(first: 100) { totalCount } } } } } }",
    "COST_EXCEEDED",
  ],
];

describe("too much", () => {
  test.each(tooMuch)("%s is refused over HTTP", async (_what, query, code) => {
    const { errors } = await server.ask(query);
    expect(errors?.[0].extensions.code).toBe(code);
  });

  test.each(tooMuch)("%s is refused over WebSocket", async (_what, query, code) => {
    await expect(server.follow(query)).rejects.toMatchObject([{ extensions: { code } }]);
  });

  test("introspection is not", async () => {
    const deep = `{ __schema { types { fields { args { type { ${"ofType { ".repeat(9)} name ${"}".repeat(9)} } } } } } }`;
    expect((await server.ask(deep)).errors).toBeUndefined();
  });
});

describe("a tenant's budget", () => {
  test("is spent by what operations cost, and then it is told how long to wait", async () => {
    const key = await server.tenant("spender", ["CLASSIFY"]);
    const before = await server.ask("{ viewer { budget { limit remaining } } }", {}, { key });
    expect(before.data.viewer.budget.limit).toBe(30000);
    const costly = `{ promptSets(first: 100) { versions(first: 100) { totalCount } } }`;
    const codes: (string | undefined)[] = [];
    for (let request = 0; request < 4; request++)
      codes.push((await server.ask(costly, {}, { key })).errors?.[0].extensions.code);
    expect(codes).toEqual([undefined, undefined, "THROTTLED", "THROTTLED"]);
    const { errors } = await server.ask(costly, {}, { key });
    expect(errors?.[0].extensions).toMatchObject({ retryable: true, retryAfterMs: expect.any(Number) });
    // Nobody else has to wait.
    expect((await server.ask("{ viewer { tenant } }")).errors).toBeUndefined();
  });
});
