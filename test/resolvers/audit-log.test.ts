import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "@jest/globals";
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
} from "graphql";
import { createSchema } from "../../src/resolvers/schema.ts";
import { startTestServer, type TestServer } from "../app/server.ts";

const MUTATIONS = Object.values(createSchema().getMutationType()?.getFields() ?? {});

const LOG = `query ($first: Int, $after: String, $filter: AuditLogFilter) {
  auditLog(first: $first, after: $after, filter: $filter) {
    edges { cursor node { at tenant keyId key operation touched touchedCount outcome code requestId } }
    pageInfo { hasNextPage hasPreviousPage endCursor }
  }
}`;

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

const entriesOf = async (filter: object, key?: string) => {
  const { data, errors } = await server.ask(LOG, { filter, first: 100 }, key === undefined ? {} : { key });
  if (errors) throw new Error(JSON.stringify(errors));
  return data.auditLog.edges.map(({ node }: { node: object }) => node);
};

describe("every mutation of the schema", () => {
  test("is known to this test", () => {
    expect(MUTATIONS.length).toBeGreaterThan(12);
  });

  test.each(MUTATIONS.map((field) => [field.name, field] as const))(
    "%s is logged, with who asked, under the request's id, and without its secrets",
    async (name, field) => {
      const requestId = randomUUID();
      const secret = `secret-${randomUUID().slice(0, 18)}`;
      const call = { headers: { "x-request-id": requestId } };
      const { errors } = await server.ask(documentOf(field), variablesOf(field.args, secret), call);
      const entries = (await entriesOf({ operation: name })).filter(
        (entry: { requestId: string }) => entry.requestId === requestId,
      );
      expect({ entries, errors }).toMatchObject({
        entries: [{ tenant: "demo", keyId: "key_first", key: "admin", operation: name }],
      });
      expect(entries[0].outcome).not.toBe("UNKNOWN");
      expect(JSON.stringify(entries)).not.toContain(secret);
    },
  );

  test.each(MUTATIONS.map((field) => [field.name, field] as const))(
    "%s is refused without a key",
    async (_, field) => {
      const { errors } = await server.ask(documentOf(field), variablesOf(field.args, "x"), {
        key: undefined,
      });
      expect(errors?.[0].extensions.code).toBe("UNAUTHENTICATED");
    },
  );
});

describe("the log", () => {
  test("tells what was made and named, and why something was refused", async () => {
    const key = await server.tenant("logged", ["PROMPTS_WRITE"]);
    const [made] = await entriesOf({ operation: "createKey", touched: "tenant_logged" });
    expect(made).toMatchObject({ outcome: "DONE", code: null });
    expect(made.touched).toEqual(["tenant_logged", expect.stringMatching(/^key_[0-9a-f]{16}$/)]);
    await server.ask(`mutation { cancelJob(id: "job_nobody") { userErrors { code } } }`, {}, { key });
    await server.ask(`mutation { revokeKey(id: "key_first") { userErrors { code } } }`, {}, { key });
    expect(await entriesOf({}, key)).toMatchObject([
      { operation: "revokeKey", touched: ["key_first"], outcome: "REFUSED", code: "FORBIDDEN" },
      { operation: "cancelJob", touched: ["job_nobody"], outcome: "REFUSED", code: "NOT_FOUND" },
    ]);
    expect(await entriesOf({ tenant: "logged", code: "FORBIDDEN" })).toHaveLength(1);
  });

  test("of a mutation that names many things tells how many, and a part of them", async () => {
    const list = Array.from({ length: 120 }, (_, index) => ({
      label: "a",
      image: { assetId: `asset_many-${index}` },
    }));
    await server.ask(
      `mutation ($examples: ExamplesInput!) {
        createDataset(input: { name: "many", examples: $examples }) { userErrors { code } }
      }`,
      { examples: { list } },
    );
    const [{ touched, touchedCount }] = await entriesOf({ touched: "asset_many-0" });
    expect([touched.length, touchedCount]).toEqual([100, 120]);
    const [made] = await entriesOf({ operation: "createDataset", touched: "asset_many-99" });
    expect(made.touched).toEqual(touched);
  });

  test("holds mutations over WebSocket, too", async () => {
    await server.follow(`mutation { createTenant(name: "by-socket") { userErrors { code } } }`);
    expect(await entriesOf({ touched: "tenant_by-socket" })).toMatchObject([{ outcome: "DONE" }]);
  });

  test("of another tenant is there for admins only", async () => {
    const key = await server.tenant("curious", ["CLASSIFY", "DATASETS_WRITE", "PROMPTS_WRITE"]);
    const theirs = await server.ask(LOG, { filter: { tenant: "demo" } }, { key });
    const nobodys = await server.ask(LOG, { filter: { tenant: "nobody" } }, { key });
    expect(theirs.errors?.[0].extensions.code).toBe("NOT_FOUND");
    expect(theirs.errors?.[0].message.replace("demo", "nobody")).toBe(nobodys.errors?.[0].message);
    expect(await entriesOf({}, key)).toEqual([]);
  });

  test("is read in pages", async () => {
    const seen: string[] = [];
    for (let after: string | null = null; ; ) {
      const { data } = await server.ask(LOG, { first: 7, after });
      seen.push(...data.auditLog.edges.map(({ cursor }: { cursor: string }) => cursor));
      after = data.auditLog.pageInfo.endCursor;
      if (!data.auditLog.pageInfo.hasNextPage) break;
    }
    expect(seen).toEqual([...seen].sort().reverse());
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toHaveLength((await server.ask(LOG, { first: 100 })).data.auditLog.edges.length);
    const { errors } = await server.ask(LOG, { after: "../x" });
    expect(errors?.[0].extensions.code).toBe("BAD_USER_INPUT");
  });
});

function documentOf({ name, args }: GraphQLField<unknown, unknown>): string {
  if (args.length === 0) return `mutation { ${name} { __typename } }`;
  const declared = args.map((arg) => `$${arg.name}: ${arg.type}`).join(", ");
  const passed = args.map((arg) => `${arg.name}: $${arg.name}`).join(", ");
  return `mutation (${declared}) { ${name}(${passed}) { __typename } }`;
}

/** What names a thing is in the log, so only a key that was pasted there by mistake must not be. */
const NAMES = ["name", "tenant", "promptSet"];

/** A value for whatever must be given; every free text, and every id, is the secret. */
function variablesOf(parameters: readonly (GraphQLArgument | GraphQLInputField)[], secret: string): object {
  const required = parameters.filter(({ type }) => isNonNullType(type));
  return Object.fromEntries(
    required.map(({ name, type }) => [
      name,
      someValue(type, NAMES.includes(name) ? `antidote_${secret}` : secret),
    ]),
  );
}

function someValue(type: GraphQLInputType, secret: string): unknown {
  if (isNonNullType(type)) return someValue(type.ofType, secret);
  if (isListType(type)) return [someValue(type.ofType, secret)];
  if (isEnumType(type)) return type.getValues()[0].name;
  if (isInputObjectType(type)) {
    if (!type.isOneOf) return variablesOf(Object.values(type.getFields()), secret);
    const [first] = Object.values(type.getFields()).filter(({ type: inner }) => String(inner) !== "Upload");
    return { [first.name]: someValue(first.type, secret) };
  }
  const values: Record<string, unknown> = {
    Boolean: true,
    Int: 1,
    Float: 1,
    BigInt: 1,
    DateTime: "2100-01-01",
  };
  return values[type.name] ?? secret;
}
