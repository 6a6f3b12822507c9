import { describe, expect, test } from "@jest/globals";
import { AntidoteError, connectionLost } from "../../client/errors.ts";
import { pause, retrying, waitBefore } from "../../client/retry.ts";

const POLICY = { attempts: 4, baseMs: 100, longestMs: 1000 };
const QUICK = { attempts: 3, baseMs: 1, longestMs: 2 };
const asked = (retryAfterMs: number) =>
  new AntidoteError({ code: "OVERLOADED", message: "", retryable: true, retryAfterMs });

describe("the wait before another try", () => {
  test("doubles up to a bound, and is spread over its upper half", () => {
    const waits = (random: number) =>
      [1, 2, 3].map((failures) => waitBefore(failures, connectionLost(""), POLICY, random));
    expect(waits(0)).toEqual([50, 100, 200]);
    expect(waits(1)).toEqual([100, 200, 400]);
    expect(waitBefore(8, connectionLost(""), { ...POLICY, attempts: 99 }, 1)).toBe(1000);
  });

  test("is never less than the server asks for", () => {
    expect(waitBefore(1, asked(700), POLICY, 0)).toBe(700);
    expect(waitBefore(1, asked(700), POLICY, 0.5)).toBe(750);
  });

  test("is not there when the tries are used up, or the server asks for more than the bound", () => {
    expect(waitBefore(4, connectionLost(""), POLICY)).toBeUndefined();
    expect(waitBefore(1, asked(1001), POLICY)).toBeUndefined();
  });
});

describe("what is tried again", () => {
  const failing = (error: Error, times: number) => {
    let tries = 0;
    return {
      perform: async () => {
        if (++tries <= times) throw error;
        return tries;
      },
      tries: () => tries,
    };
  };

  test("ends with the first success, or with the last failure", async () => {
    const good = failing(connectionLost("gone"), 2);
    expect(await retrying(good.perform, QUICK, () => true)).toBe(3);
    const bad = failing(connectionLost("gone"), 9);
    await expect(retrying(bad.perform, QUICK, () => true)).rejects.toThrow("gone");
    expect(bad.tries()).toBe(3);
  });

  test("is not what must not be repeated, nor what is no error of the server's", async () => {
    for (const [error, mayRepeat] of [
      [connectionLost("gone"), false],
      [new TypeError("a mistake"), true],
    ] as const) {
      const { perform, tries } = failing(error, 1);
      await expect(retrying(perform, QUICK, () => mayRepeat)).rejects.toBe(error);
      expect(tries()).toBe(1);
    }
  });

  test("ends at once when its caller has had enough", async () => {
    const enough = new AbortController();
    const { perform, tries } = failing(asked(900), 9);
    const waiting = retrying(perform, POLICY, () => true, enough.signal);
    enough.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    expect(tries()).toBe(1);
    await expect(pause(1e6, AbortSignal.abort(new Error("before")))).rejects.toThrow("before");
  });
});
