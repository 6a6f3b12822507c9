import { describe, expect, test } from "@jest/globals";
import { GraphQLError } from "graphql";
import pino from "pino";
import { AppError } from "../../src/errors.ts";
import { publicError } from "../../src/http/public-errors.ts";

function tell(error: unknown) {
  const log: string[] = [];
  const logger = pino({}, { write: (line: string) => void log.push(line) });
  return { told: publicError(error, "request-1", logger), log };
}

const thrownByAResolver = (originalError: Error): GraphQLError =>
  new GraphQLError(originalError.message, { path: ["viewer"], originalError });

describe("what a caller sees of", () => {
  test("an expected error is all of it", () => {
    const error = new AppError("OVERLOADED", "Try later.", { retryAfterMs: 250, waiting: 3 });
    const { told, log } = tell(thrownByAResolver(error));
    expect(told.message).toBe("Try later.");
    expect(told.path).toEqual(["viewer"]);
    expect(told.extensions).toEqual({
      code: "OVERLOADED",
      retryable: true,
      retryAfterMs: 250,
      waiting: 3,
      requestId: "request-1",
    });
    expect(log).toEqual([]);
  });

  test.each([
    new Error("secret: heap at 0x7ffe"),
    new TypeError("Cannot read properties of undefined"),
    new AppError("INTERNAL", "secret: a broken invariant"),
  ])("an unexpected one is only its request id, and the log has the rest", (error) => {
    for (const shape of [error, thrownByAResolver(error)]) {
      const { told, log } = tell(shape);
      expect(JSON.stringify(told)).not.toMatch(/secret|undefined/);
      expect(told.extensions).toEqual({ code: "INTERNAL", retryable: false, requestId: "request-1" });
      expect(log).toHaveLength(1);
      expect(log[0]).toContain(error.message);
      expect(log[0]).toContain("request-1");
    }
  });

  test("what a body parser refuses is its status", () => {
    const error = Object.assign(new Error("request entity too large"), { status: 413, expose: true });
    expect(tell(error).told.extensions?.code).toBe("PAYLOAD_TOO_LARGE");
    const hidden = Object.assign(new Error("secret"), { status: 500, expose: false });
    expect(tell(hidden).told.extensions?.code).toBe("INTERNAL");
  });
});
