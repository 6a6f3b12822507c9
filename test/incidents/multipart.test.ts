/** Bodies of several parts, with which other servers were kept busy until they fell. */
import { beforeAll, describe, expect, test } from "@jest/globals";
import { ADMIN_KEY, startTestServer, type TestServer } from "../app/server.ts";
import { rawRequest } from "../support/raw-request.ts";

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ MAX_REQUEST_MB: "1", MAX_UPLOAD_MB: "1", MAX_UPLOAD_FILES: "10" });
});

const BOUNDARY = "----boundary";
const QUERY = `query ($file: Upload!) {
  classify(input: { images: [{ upload: $file }], modelId: "model_scenes-badnet", labels: ["a"], through: { templates: [] } }) {
    results { __typename }
  }
}`;
const OPERATIONS = JSON.stringify({ query: QUERY, variables: { file: null } });

const part = (name: string, content: string, file?: string): string =>
  `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"${file ? `; filename="${file}"` : ""}\r\n\r\n${content}\r\n`;
const end = `--${BOUNDARY}--\r\n`;
const operations = part("operations", OPERATIONS) + part("map", `{"0":["variables.file"]}`);

interface Request {
  readonly type?: string;
  readonly body: string;
  readonly length?: number;
}

function bytesOf({ type = `multipart/form-data; boundary=${BOUNDARY}`, body, length }: Request): string {
  return [
    "POST /graphql HTTP/1.1",
    "host: test",
    `authorization: Bearer ${ADMIN_KEY}`,
    `content-type: ${type}`,
    `content-length: ${length ?? Buffer.byteLength(body)}`,
    "connection: close",
    "",
    body,
  ].join("\r\n");
}

const many = (count: number, of: (index: number) => string): string =>
  Array.from({ length: count }, (_, i) => of(i)).join("");

const HOSTILE: Record<string, Request> = {
  "no boundary": { type: "multipart/form-data", body: operations + end },
  "an empty boundary": { type: 'multipart/form-data; boundary=""', body: operations + end },
  "a boundary of 10,000 characters": {
    type: `multipart/form-data; boundary=${"b".repeat(10_000)}`,
    body: operations + end,
  },
  "a boundary that never comes": { body: "x".repeat(100_000) },
  "boundaries that almost are": { body: `${`--${BOUNDARY.slice(0, -1)}\r\n`.repeat(20_000)}` },
  "no end": { body: operations + part("0", "x", "x.png") },
  "an end within a part's head": {
    body: `${operations}--${BOUNDARY}\r\ncontent-disposition: form-data; name="0`,
  },
  "a head of 200,000 characters": {
    body: `${operations}--${BOUNDARY}\r\nx: ${"y".repeat(200_000)}\r\n\r\nx\r\n${end}`,
  },
  "20,000 empty parts": { body: operations + many(20_000, (index) => part(`f${index}`, "")) + end },
  "20,000 files that nobody asked for": {
    body: operations + many(20_000, (index) => part(`f${index}`, "", "x")) + end,
  },
  "more files than may be": {
    body:
      part("operations", OPERATIONS) +
      part(
        "map",
        JSON.stringify(Object.fromEntries(Array.from({ length: 11 }, (_, i) => [i, ["variables.file"]]))),
      ) +
      end,
  },
  "a map before the operations": {
    body: part("map", `{"0":["variables.file"]}`) + part("operations", OPERATIONS) + end,
  },
  "a map that is none": { body: part("operations", OPERATIONS) + part("map", "[[[[[[[[[[") + end },
  "a map into nowhere": {
    body:
      part("operations", OPERATIONS) +
      part("map", `{"0":["variables.a.b.c.constructor.prototype"]}`) +
      part("0", "x", "x") +
      end,
  },
  "operations that are none": { body: part("operations", "null") + part("map", "{}") + end },
  "operations beyond the limit": { body: part("operations", "x".repeat(1.5e6)) + end },
  "a file that was promised and never comes": { body: operations + end },
  "a file beyond the limit": { body: operations + part("0", "x".repeat(1.2e6), "x.png") + end },
  "less than it says": { body: operations, length: 1_000_000 },
};

/** Where files were put that nobody sent anything for: by what objects inherit, and through a file put there before. */
const STRAYING: Record<string, readonly [variables: object, ...paths: string[]]> = {
  "what objects inherit": [{}, "variables.hasOwnProperty.call"],
  "what lists inherit": [{ list: [1] }, "variables.list.map.call"],
  "what texts inherit": [{ text: "x" }, "variables.text.at.call"],
  "what functions inherit": [{}, "variables.valueOf.call.call"],
  "what a file inherits": [
    { file: { promise: { finally: { call: null } } } },
    "variables.file",
    "variables.file.promise.finally.call",
  ],
};

describe("a map through", () => {
  test.each(Object.entries(STRAYING))(
    "%s is refused, and nothing is put there",
    async (_what, [variables, ...paths]) => {
      const functions = [{}.hasOwnProperty, {}.valueOf, [].map, "".at, Promise.prototype.finally];
      const body =
        part("operations", JSON.stringify({ query: QUERY, variables })) +
        part("map", JSON.stringify(Object.fromEntries(paths.map((path, index) => [index, [path]])))) +
        part("0", "x", "x") +
        end;
      try {
        const answer = await rawRequest(server.app.url, bytesOf({ body }));
        expect(answer).toContain("BAD_USER_INPUT");
        expect(answer).toContain(paths.at(-1));
        for (const put of functions) expect(Object.hasOwn(put, "call")).toBe(false);
        expect(Object.hasOwn(Function.prototype.call, "call")).toBe(false);
      } finally {
        for (const put of [...functions, Function.prototype.call])
          delete (put as unknown as { call?: unknown }).call;
      }
    },
  );
});

describe("a multipart request with", () => {
  test.each(Object.entries(HOSTILE))(
    "%s is refused in our words, and the next one is served",
    async (_what, request) => {
      const answer = await rawRequest(server.app.url, bytesOf(request));
      const [head, body = ""] = answer.split("\r\n\r\n");
      // Whoever stops in the middle has gone, and gets nothing, or a word of Node's.
      if (body !== "") {
        expect(head).toMatch(/^HTTP\/1\.1 (200|400|403|413) /);
        const { errors } = JSON.parse(body.slice(body.indexOf("{"), body.lastIndexOf("}") + 1)) as {
          errors?: { extensions: { code: string } }[];
        };
        if (errors)
          expect(["BAD_USER_INPUT", "PAYLOAD_TOO_LARGE", "VALIDATION_FAILED"]).toContain(
            errors[0].extensions.code,
          );
      }
      expect((await server.ask("{ viewer { tenant } }")).data.viewer.tenant).toBe("demo");
    },
  );

  test("none of them has left anything unexpected in the log", () => {
    const levels = server.log.map((line) => JSON.parse(line) as { level: number; msg: string });
    expect(levels.filter(({ level }) => level >= 50)).toEqual([]);
  });
});
