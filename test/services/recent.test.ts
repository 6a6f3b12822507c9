import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { Recent } from "../../src/services/recent.ts";

describe("Recent", () => {
  test("is fetched once for all who ask within its time, and anew for whoever asks later", async () => {
    let fetches = 0;
    const recent = new Recent(async () => ++fetches, 30);
    expect(await Promise.all([recent.get(), recent.get()])).toEqual([1, 1]);
    expect(await recent.get()).toBe(1);
    await delay(60);
    expect(await recent.get()).toBe(2);
  });

  test("what fails is fetched again", async () => {
    let fetches = 0;
    const recent = new Recent(async () => {
      if (++fetches === 1) throw new Error("Away.");
      return fetches;
    }, 60_000);
    await expect(recent.get()).rejects.toThrow("Away.");
    expect(await recent.get()).toBe(2);
  });
});
