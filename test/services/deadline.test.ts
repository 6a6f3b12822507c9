import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { Deadline } from "../../src/services/deadline.ts";

describe("Deadline", () => {
  test("leisure ends before the time does", async () => {
    const deadline = new Deadline(300, undefined);
    const order: string[] = [];
    deadline.leisure.addEventListener("abort", () => order.push("leisure"));
    deadline.signal.addEventListener("abort", () => order.push("time"));
    await delay(350);
    expect(order).toEqual(["leisure", "time"]);
    expect(deadline.signal.reason).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { deadlineMs: 300 } });
    deadline.end();
  });

  test("both end with the request, and when the caller goes", () => {
    const [ended, gone] = [new Deadline(undefined, undefined), new AbortController()];
    ended.end();
    expect([ended.leisure.aborted, ended.signal.aborted]).toEqual([true, true]);
    const left = new Deadline(undefined, gone.signal);
    expect([left.leisure.aborted, left.signal.aborted]).toEqual([false, false]);
    gone.abort(new Error("Gone."));
    expect([left.leisure.reason, left.signal.reason]).toEqual([gone.signal.reason, gone.signal.reason]);
    expect(new Deadline(undefined, gone.signal).signal.aborted).toBe(true);
  });

  test.each([0, 1.5, 3_600_001])("%d ms are refused", (milliseconds) => {
    expect(() => new Deadline(milliseconds, undefined)).toThrow(/whole number/);
  });
});
