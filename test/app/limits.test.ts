import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { getIntrospectionQuery, parse } from "graphql";
import { costOf } from "../../src/http/limits.ts";
import { createSchema } from "../../src/resolvers/schema.ts";
import { type PublicError, startTestServer, type TestServer } from "./server.ts";

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ RATE_LIMIT: "40000" });
});

interface Outcome {
  readonly codes: readonly string[];
  readonly errors?: readonly PublicError[];
  readonly extensions?: object;
}

type Ask = (query: string, variables?: object, key?: string) => Promise<Outcome>;

const told = (errors: readonly PublicError[] | undefined, extensions?: object): Outcome => ({
  codes: (errors ?? []).map(({ extensions }) => extensions.code),
  errors,
  extensions,
});

/** One operation over each way in. */
const TRANSPORTS: Record<string, Ask> = {
  HTTP: async (query, variables, key) => {
    const { errors, extensions } = await server.ask(query, variables, key === undefined ? {} : { key });
    return told(errors, extensions);
  },
  WebSocket: async (query, variables, key) => {
    try {
      const [{ errors, extensions }] = await server.follow(query, variables, key);
      return told(errors, extensions);
    } catch (refusal) {
      return told(refusal as PublicError[]);
    }
  },
  "server-sent events": async (query, variables, key) => {
    const [{ errors, extensions }] = await server.stream(query, variables, key);
    return told(errors, extensions);
  },
};

const nested = (depth: number): string =>
  `{ promptSet(name: "x") { versions { edges { node { ${"job { result { ".repeat(depth)} id ${"} }".repeat(depth)} } } } } }`;

/** Three deep, and a name below so many types. */
const introspection = (types: number): string =>
  `{ __schema { types { fields { type { ${"ofType { ".repeat(types - 1)} name ${"}".repeat(types)} } } } }`;

const aliases = (count: number): string =>
  `{ ${Array.from({ length: count }, (_, index) => `a${index}: __typename`).join(" ")} }`;

/** With twelve tokens around them. */
const statuses = (count: number): string => `{ jobs(statuses: [${"QUEUED ".repeat(count)}]) { id } }`;

/** Each of so many fragments spreads the next one twice. */
const doubling = (fragments: number): string =>
  [
    "{ ...F0 }",
    ...Array.from(
      { length: fragments },
      (_, index) => `fragment F${index} on Query { ...F${index + 1} ...F${index + 1} }`,
    ),
    `fragment F${fragments} on Query { __typename }`,
  ].join(" ");

const COSTLY = "{ promptSets(first: 100) { versions(first: 50) { totalCount } } }";

/** What just passes, what does not, and how it is refused. */
const LIMITS: Record<string, { passes: string; refused: string; code: string }> = {
  depth: { passes: nested(5), refused: nested(6), code: "VALIDATION_FAILED" },
  "depth of introspection": {
    passes: introspection(26),
    refused: introspection(27),
    code: "VALIDATION_FAILED",
  },
  aliases: { passes: aliases(30), refused: aliases(31), code: "VALIDATION_FAILED" },
  tokens: { passes: statuses(5000 - 12), refused: statuses(5000 - 11), code: "PARSE_FAILED" },
  cost: {
    passes: COSTLY,
    refused:
      "{ promptSets(first: 100) { versions(first: 100) { edges { node { classes(first: 100) { totalCount } } } } } }",
    code: "COST_EXCEEDED",
  },
  "size with its fragments written out": {
    passes: doubling(11),
    refused: doubling(12),
    code: "COST_EXCEEDED",
  },
};

describe.each(Object.entries(TRANSPORTS))("over %s", (transport, ask) => {
  let key: string;

  beforeAll(async () => {
    key = await server.tenant(`user-of-${transport.replace(/\W/g, "-")}`, ["CLASSIFY"]);
  });

  test.each(Object.entries(LIMITS))(
    "too much %s is refused, and what is just below is not",
    async (_limit, row) => {
      expect((await ask(row.passes, {}, key)).codes).toEqual([]);
      expect(new Set((await ask(row.refused, {}, key)).codes)).toEqual(new Set([row.code]));
    },
  );

  test("fragments that would be spread a billion times are refused without being followed", async () => {
    const start = performance.now();
    expect((await ask(doubling(30), {}, key)).codes).toEqual(["COST_EXCEEDED"]);
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test("introspection may be as deep as tools make it, and however deep it is, it is told so", async () => {
    expect((await ask(getIntrospectionQuery(), {}, key)).codes).toEqual([]);
    expect((await ask(introspection(1600), {}, key)).codes).toEqual(["VALIDATION_FAILED"]);
  });

  test("an answer tells what its operation costs, and what it may", async () => {
    const { extensions } = await ask(
      `query ($first: Int!) { jobs(first: $first) { id status } viewer { tenant } }`,
      { first: 7 },
      key,
    );
    // A page is one and its items' fields, times how many there may be; a viewer is one and its field.
    expect(extensions).toEqual({ cost: { operation: 1 + 7 * 2 + 2, limit: 20_000 } });
  });

  test("a tenant's units of a minute are spent, and then it is told how long to wait", async () => {
    const spender = await server.tenant(`spender-of-${transport.replace(/\W/g, "-")}`, ["CLASSIFY"]);
    const { extensions } = await ask(COSTLY, {}, spender);
    const { operation } = (extensions as { cost: { operation: number } }).cost;
    const affordable = Math.floor(40_000 / operation);
    for (let request = 1; request < affordable; request++)
      expect((await ask(COSTLY, {}, spender)).codes).toEqual([]);
    const { errors } = await ask(COSTLY, {}, spender);
    expect(errors?.map(({ extensions }) => extensions)).toEqual([
      { code: "THROTTLED", retryable: true, retryAfterMs: expect.any(Number), requestId: expect.any(String) },
    ]);
    // Nobody else has to wait.
    expect((await ask("{ viewer { tenant } }", {}, key)).codes).toEqual([]);
  });
});

describe("the cost of a document that was seen before", () => {
  const schema = createSchema();
  const document = parse(`query ($first: Int = 100, $ids: [ID!]!, $text: ID!, $not: Boolean = false) {
    jobs(first: $first) { id }
    nodes(ids: $ids) { id }
    node(id: $text) @skip(if: $not) { id }
  }`);
  const cost = (variables: Record<string, unknown>) =>
    costOf({ schema, document, variables: { ids: ["a"], text: "a", ...variables } });

  test.each<[string, Record<string, unknown>, number]>([
    ["the variables left out", {}, 101 + 2 + 2],
    ["none in the place of a number", { first: null }, 2 + 2 + 2],
    ["another number", { first: 3 }, 4 + 2 + 2],
    ["a longer list", { ids: ["a", "b", "c"] }, 101 + 6 + 2],
    ["one item in the place of a list", { ids: "a" }, 101 + 2 + 2],
    ["a part of it skipped", { not: true }, 101 + 2],
    ["another text", { text: "b" }, 101 + 2 + 2],
    ["a text in the place of a number", { first: "3" }, 0],
  ])("is right with %s", (_what, variables, expected) => {
    for (let times = 0; times < 2; times++) expect(cost(variables)).toBe(expected);
  });

  test("is remembered without its text", () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const megabytes = () => {
      collect();
      return process.memoryUsage().heapUsed / 2 ** 20;
    };
    const before = megabytes();
    for (let request = 0; request < 64; request++) cost({ text: `${request}${"x".repeat(2 ** 20)}` });
    expect(megabytes() - before).toBeLessThan(20);
  });
});
