import { beforeAll, describe, expect, test } from "@jest/globals";
import { serverAudits } from "graphql-http";
import { startTestServer, type TestServer } from "./server.ts";

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

const audits = serverAudits({ url: () => `${server.app.url}/graphql` });

describe("the audits of the GraphQL-over-HTTP working group", () => {
  test("are as many as ever", () => {
    expect(audits.length).toBeGreaterThanOrEqual(61);
  });

  test.each(audits.map(({ id, name, fn }) => [id, name, fn] as const))(
    "%s: the server %s",
    async (_id, _name, audit) => {
      expect(await audit()).toMatchObject({ status: "ok" });
    },
  );
});
