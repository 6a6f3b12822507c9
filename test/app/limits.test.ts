import { beforeAll, describe, expect, test } from "@jest/globals";
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

const aliases = (count: number): string =>
  `{ ${Array.from({ length: count }, (_, index) => `a${index}: __typename`).join(" ")} }`;

/** With twelve tokens around them. */
const statuses = (count: number): string => `{ jobs(statuses: [${"QUEUED ".repeat(count)}]) { id } }`;

const COSTLY = "{ promptSets(first: 100) { versions(first: 50) { totalCount } } }";

/** What just passes, what does not, and how it is refused. */
const LIMITS: Record<string, { passes: string; refused: string; code: string }> = {
  depth: { passes: nested(5), refused: nested(6), code: "VALIDATION_FAILED" },
  aliases: { passes: aliases(30), refused: aliases(31), code: "VALIDATION_FAILED" },
  tokens: { passes: statuses(5000 - 12), refused: statuses(5000 - 11), code: "PARSE_FAILED" },
  cost: {
    passes: COSTLY,
    refused:
      "{ promptSets(first: 100) { versions(first: 100) { edges { node { classes(first: 100) { totalCount } } } } } }",
    code: "COST_EXCEEDED",
  },
};

const introspection = `{ __schema { types { fields { args { type { ${"ofType { ".repeat(9)} name ${"}".repeat(9)} } } } } } }`;

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

  test("introspection is not refused for its depth", async () => {
    expect((await ask(introspection, {}, key)).codes).toEqual([]);
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
