import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { mergeDays } from "../../../src/services/quotas/daily-use.ts";
import { writeQuota } from "../../../src/services/quotas/quota.ts";
import { UsageMeter } from "../../../src/services/quotas/usage-meter.ts";
import { reportUsage } from "../../../src/services/quotas/usage-report.ts";
import type { Store } from "../../../src/store/store.ts";
import { describeStores } from "../../support/stores.ts";

const SECOND = 1000;
const DAY = 24 * 3600 * SECOND;
const exceeded = { code: "QUOTA_EXCEEDED" };

describeStores((open) => {
  let store: Store;
  let now: Date;
  let meter: UsageMeter;

  beforeEach(async () => {
    store = await open();
    now = new Date("2026-11-26T18:00:00.000Z");
    meter = server();
  });
  afterEach(() => store.close());

  /** A server's meter; its rounds come when the test says so. */
  const server = () => new UsageMeter({ store, logger: { warn: () => {} }, now: () => now });
  const pass = (milliseconds: number) => {
    now = new Date(now.getTime() + milliseconds);
  };
  const report = async (from: string, to: string, granularity: "day" | "month" = "day") =>
    (await reportUsage(store, "acme", { from: new Date(from), to: new Date(to), granularity })).map(
      ({ from: start, requests, images, computeSeconds }) => [
        start.slice(0, 10),
        requests,
        images,
        computeSeconds,
      ],
    );

  test("without a quota everything is counted and nothing refused", async () => {
    for (let request = 0; request < 5; request++) await meter.charge("acme", "images", 1_000_000);
    await meter.flush();
    expect(await report("2026-11-26", "2026-11-27")).toEqual([["2026-11-26", 0, 5_000_000, 0]]);
    expect(await meter.spent("acme", "images")).toBeUndefined();
  });

  test("a quota is exact on one server, however many come at once, and says what is wrong", async () => {
    await writeQuota(store, "acme", "images", { limit: 10, window: "day" });
    const answers = await Promise.allSettled(
      Array.from({ length: 9 }, () => meter.charge("acme", "images", 3)),
    );
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    await meter.charge("acme", "images", 1);
    const refusal = await meter.charge("acme", "images", 1).catch((error) => error);
    expect(refusal).toMatchObject({
      ...exceeded,
      message:
        "The tenant may have 10 images a day; 10 are used and 1 more are asked for. It begins anew at 2026-11-27T00:00:00.000Z, or ask the operator for more.",
      details: {
        quota: "images",
        limit: 10,
        used: 10,
        window: "day",
        resetsAt: "2026-11-27T00:00:00.000Z",
        retryAfterMs: 6 * 3600 * SECOND,
      },
    });
    await meter.charge("acme", "requests", 1);
    await meter.charge("other", "images", 100);
  });

  test("a window begins anew with the day or the month, in UTC", async () => {
    await writeQuota(store, "acme", "images", { limit: 1, window: "day" });
    await writeQuota(store, "acme", "requests", { limit: 1, window: "month" });
    for (const flow of ["images", "requests"] as const) await meter.charge("acme", flow, 1);
    await expect(meter.charge("acme", "requests", 1)).rejects.toMatchObject({
      details: { resetsAt: "2026-12-01T00:00:00.000Z" },
    });
    pass(6 * 3600 * SECOND - 1);
    await expect(meter.charge("acme", "images", 1)).rejects.toMatchObject(exceeded);
    pass(1);
    await meter.charge("acme", "images", 1);
    await expect(meter.charge("acme", "requests", 1)).rejects.toMatchObject(exceeded);
    pass(4 * DAY);
    await meter.charge("acme", "requests", 1);
  });

  test("what is taken back is there again", async () => {
    await writeQuota(store, "acme", "images", { limit: 5 });
    const refund = await meter.charge("acme", "images", 5);
    refund(2);
    await meter.charge("acme", "images", 2);
    await expect(meter.charge("acme", "images", 1)).rejects.toMatchObject(exceeded);
    pass(DAY);
    await meter.flush();
    await meter.spent("acme", "images");
    refund(3);
    await meter.flush();
    expect(await report("2026-11-26", "2026-11-28")).toEqual([
      ["2026-11-26", 0, 5, 0],
      ["2026-11-27", 0, 0, 0],
    ]);
  });

  test("counts survive a restart, and a kill but for what the last round had not written", async () => {
    await writeQuota(store, "acme", "images", { limit: 10 });
    await meter.charge("acme", "images", 4);
    await meter.stop();
    const second = server();
    await second.charge("acme", "images", 4);
    await second.flush();
    await second.charge("acme", "images", 2);
    const third = server();
    await third.charge("acme", "images", 2);
    await expect(third.charge("acme", "images", 1)).rejects.toMatchObject(exceeded);
  });

  test("servers add up what each counts, and pass a limit by no more than the others let in between rounds", async () => {
    await writeQuota(store, "acme", "images", { limit: 10 });
    const other = server();
    await meter.charge("acme", "images", 6);
    await other.charge("acme", "images", 6);
    for (const one of [meter, other]) await one.flush();
    pass(2 * SECOND);
    for (const one of [meter, other])
      await expect(one.charge("acme", "images", 1)).rejects.toMatchObject(exceeded);
    expect(await meter.usedIn("acme", "images", { limit: 10, window: "month" })).toBe(12);
  });

  test("a server that was idle looks again before it lets anything in", async () => {
    await writeQuota(store, "acme", "images", { limit: 10 });
    const other = server();
    await other.charge("acme", "images", 1);
    await meter.charge("acme", "images", 9);
    await meter.flush();
    pass(2 * SECOND);
    await expect(other.charge("acme", "images", 1)).rejects.toMatchObject(exceeded);
  });

  test("a changed quota holds within two seconds elsewhere, and here at once", async () => {
    const other = server();
    for (const one of [meter, other]) await one.charge("acme", "images", 1);
    await writeQuota(store, "acme", "images", { limit: 0 });
    meter.forget("acme");
    await expect(meter.charge("acme", "images", 1)).rejects.toMatchObject(exceeded);
    pass(2 * SECOND);
    await expect(other.charge("acme", "images", 1)).rejects.toMatchObject(exceeded);
    await writeQuota(store, "acme", "images", { limit: undefined });
    meter.forget("acme");
    await meter.charge("acme", "images", 1);
  });

  test.each([-1, 1.5, Number.NaN, 2 ** 60])("%s is no limit", async (limit) => {
    await expect(writeQuota(store, "acme", "images", { limit })).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
    });
  });

  test("days that are over are added up, and nothing is counted twice or lost", async () => {
    const servers = [meter, server(), server()];
    for (const one of servers) await one.charge("acme", "images", 1);
    await servers[0].charge("acme-2", "images", 7);
    for (const one of servers) await one.flush();
    const [first] = servers;
    pass(DAY);
    await first.charge("acme", "images", 10);
    await first.flush();
    await mergeDays(store, now);
    expect(await store.list("usage/days/acme/")).toHaveLength(4);
    pass(2 * DAY);
    await first.charge("acme", "images", 100);
    await first.flush();
    await Promise.all([mergeDays(store, now), mergeDays(store, now)]);
    await mergeDays(store, now);
    expect((await store.list("usage/days/acme/2026-11-26/")).map(({ key }) => key)).toEqual([
      "usage/days/acme/2026-11-26/total",
    ]);
    expect(await report("2026-11-26", "2026-11-30")).toEqual([
      ["2026-11-26", 0, 3, 0],
      ["2026-11-27", 0, 10, 0],
      ["2026-11-28", 0, 0, 0],
      ["2026-11-29", 0, 100, 0],
    ]);
    expect(await first.usedIn("acme", "images", { limit: 1, window: "month" })).toBe(113);
  });

  describe("a store that is away", () => {
    test("keeps nothing from being counted: it is written when the store is back", async () => {
      let away = true;
      const sometimes = Object.create(store, {
        commit: { value: (writes: []) => (away ? Promise.reject(new Error("away")) : store.commit(writes)) },
      }) as Store;
      const patient = new UsageMeter({ store: sometimes, logger: { warn: () => {} }, now: () => now });
      patient.count("acme", "computeSeconds", 1.5);
      await expect(patient.flush()).rejects.toThrow("away");
      away = false;
      patient.count("acme", "computeSeconds", 1);
      await patient.flush();
      expect(await report("2026-11-26", "2026-11-27")).toEqual([["2026-11-26", 0, 0, 2.5]]);
    });
  });

  describe("a report", () => {
    test("has every period, also those without any use", async () => {
      meter.count("acme", "requests", 2);
      await meter.flush();
      pass(35 * DAY);
      meter.count("acme", "requests", 5);
      await meter.flush();
      expect(await report("2026-10-31", "2027-01-01", "month")).toEqual([
        ["2026-10-01", 0, 0, 0],
        ["2026-11-01", 2, 0, 0],
        ["2026-12-01", 5, 0, 0],
      ]);
      expect(await report("2026-11-25T12:00:00Z", "2026-11-26T00:00:01Z")).toEqual([
        ["2026-11-25", 0, 0, 0],
        ["2026-11-26", 2, 0, 0],
      ]);
    });

    test.each([
      ["2026-11-26", "2026-11-26"],
      ["2026-11-27", "2026-11-26"],
      ["2020-01-01", "2026-11-26"],
    ])("from %s to %s is refused", async (from, to) => {
      await expect(report(from, to)).rejects.toMatchObject({ code: "BAD_USER_INPUT" });
    });
  });
});
