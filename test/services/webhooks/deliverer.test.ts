import { createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { JobRecords } from "../../../src/jobs/records.ts";
import { Aliases } from "../../../src/services/aliases.ts";
import { type AttemptOutcome, WebhookDeliverer } from "../../../src/services/webhooks/deliverer.ts";
import { deliveryOf, eventWrites } from "../../../src/services/webhooks/events.ts";
import { jobEndWrites } from "../../../src/services/webhooks/job-end.ts";
import { WebhookPost } from "../../../src/services/webhooks/post.ts";
import { DUE, WEBHOOK_EVENTS, type WebhookRecord } from "../../../src/services/webhooks/records.ts";
import { pruneDeliveries, Webhooks } from "../../../src/services/webhooks/webhooks.ts";
import type { Store, Write } from "../../../src/store/store.ts";
import { describeStores } from "../../support/stores.ts";
import { Receiver } from "./receiver.ts";

const quiet = { warn: () => {} };

describeStores((open) => {
  let store: Store;
  let receiver: Receiver;
  let webhooks: Webhooks;
  let webhook: WebhookRecord;
  let now: Date;
  let outcomes: AttemptOutcome[];
  const deliverers: WebhookDeliverer[] = [];
  const post = new WebhookPost(new Set(["127.0.0.1"]));

  beforeEach(async () => {
    store = await open();
    outcomes = [];
    receiver = await Receiver.start();
    now = new Date("2026-11-26T12:00:00.000Z");
    webhooks = new Webhooks(store, "acme", post, () => now);
    webhook = await webhooks.create(receiver.url, WEBHOOK_EVENTS, undefined);
  });
  afterEach(async () => {
    for (const deliverer of deliverers.splice(0)) await deliverer.stop();
    await receiver.close();
    await store.close();
  });

  /** A server's part in it. */
  const deliver = (sender: Pick<WebhookPost, "send"> = post) => {
    const deliverer = new WebhookDeliverer({
      store,
      post: sender,
      logger: quiet,
      pollMilliseconds: 5,
      now: () => now,
      random: () => 0.5,
      onAttempt: (outcome) => void outcomes.push(outcome),
    });
    deliverers.push(deliverer);
    deliverer.start();
    return deliverer;
  };
  const happen = async (count = 1) => {
    for (let index = 0; index < count; index++)
      await store.commit(await eventWrites(store, "acme", "job.succeeded", { index }, now));
  };
  const log = async () => (await webhooks.deliveries(webhook.id, 100)).deliveries;
  const until = async (fits: () => Promise<boolean>) => {
    while (!(await fits())) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  /** Lets the time of the next attempt come, as often as there is one. */
  const passTime = async (attempts: number) => {
    for (let attempt = 1; attempt <= attempts; attempt++) {
      await until(async () => (await log()).some(({ attempts }) => attempts >= attempt));
      const [{ nextAttemptAt }] = await log();
      if (nextAttemptAt) now = new Date(nextAttemptAt);
    }
  };

  test("an event is sent to whoever asks for it, signed, and the log says so", async () => {
    const other = await webhooks.create(receiver.url, ["alias.moved"], undefined);
    await happen();
    deliver();
    await receiver.until(1);
    const [{ body, headers }] = receiver.received;
    expect(JSON.parse(body)).toEqual({
      type: "job.succeeded",
      timestamp: now.toISOString(),
      data: { tenant: "acme", index: 0 },
    });
    const key = Buffer.from(webhook.secret.slice(6), "base64");
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    const expected = createHmac("sha256", key).update(signed).digest("base64");
    expect(headers["webhook-signature"]).toBe(`v1,${expected}`);
    await until(async () => (await log())[0].status === "DELIVERED");
    expect(await log()).toMatchObject([{ attempts: 1, lastStatus: 204, body }]);
    expect((await webhooks.deliveries(other.id, 10)).deliveries).toEqual([]);
    expect(await store.list(DUE)).toEqual([]);
  });

  test("a fact that is not committed is not told, and one of another tenant is not theirs", async () => {
    const fact = { kind: "put", key: "fact", value: 1, expected: 7 } as const;
    expect(await store.commit([fact, ...(await eventWrites(store, "acme", "job.failed", {}))])).toBe(false);
    expect(await eventWrites(store, "acm", "job.failed", {})).toEqual([]);
    expect(await log()).toEqual([]);
  });

  test("what fails is sent again, later and later, until it arrives", async () => {
    receiver.status = 500;
    await happen();
    deliver();
    const times = [];
    for (const attempt of [1, 2]) {
      await until(async () => (await log())[0].attempts === attempt);
      const [{ nextAttemptAt, lastStatus, status }] = await log();
      expect({ lastStatus, status }).toEqual({ lastStatus: 500, status: "PENDING" });
      times.push(Date.parse(nextAttemptAt ?? "") - now.getTime());
      if (attempt === 2) receiver.status = 200;
      now = new Date(nextAttemptAt ?? "");
    }
    expect(times).toEqual([5_000, 20_000]);
    await until(async () => (await log())[0].status === "DELIVERED");
    await until(async () => outcomes.length === 3);
    expect(outcomes).toEqual(["retried", "retried", "delivered"]);
    expect(new Set(receiver.received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(await webhooks.find(webhook.id)).toMatchObject({ failures: 0 });
  });

  test("what never arrives is given up after eight attempts", async () => {
    receiver.status = 302;
    await happen();
    deliver();
    await passTime(8);
    await until(async () => (await log())[0].status === "FAILED");
    expect(await log()).toMatchObject([{ attempts: 8, lastStatus: 302 }]);
    await until(async () => outcomes.length === 8);
    expect(outcomes).toEqual([...Array(7).fill("retried"), "failed"]);
    expect(receiver.received).toHaveLength(8);
    expect(await store.list(DUE)).toEqual([]);
    expect(await webhooks.find(webhook.id)).toMatchObject({ failures: 8 });
  });

  test("a receiver that fails again and again is disabled with the reason, until it is enabled", async () => {
    await receiver.close();
    await happen(21);
    deliver();
    await until(async () => (await webhooks.find(webhook.id))?.disabledAt !== undefined);
    const { disabledReason } = (await webhooks.find(webhook.id)) as WebhookRecord;
    expect(disabledReason).toMatch(/20 attempts in a row failed, the last with: ECONNREFUSED/);
    now = new Date(now.getTime() + 3600_000);
    await until(async () => (await log()).every(({ status }) => status === "FAILED"));
    expect(await store.list(DUE)).toEqual([]);
    expect(await eventWrites(store, "acme", "job.succeeded", {})).toEqual([]);
    await expect(webhooks.test(webhook.id)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    expect(await webhooks.enable(webhook.id)).toMatchObject({ failures: 0 });
    expect(await eventWrites(store, "acme", "job.succeeded", {})).toHaveLength(2);
    receiver = await Receiver.start();
  });

  test("a receiver that is gone is disabled at once", async () => {
    receiver.status = 410;
    await happen();
    deliver();
    await until(async () => (await log())[0].status === "FAILED");
    expect(await webhooks.find(webhook.id)).toMatchObject({ disabledReason: expect.stringContaining("410") });
  });

  test("a test is sent once, whatever comes of it", async () => {
    receiver.status = 500;
    const { event } = await webhooks.test(webhook.id);
    deliver();
    await until(async () => (await log())[0].status === "FAILED");
    expect(await log()).toMatchObject([{ event, attempts: 1, lastStatus: 500 }]);
    expect(JSON.parse(receiver.received[0].body)).toMatchObject({ type: "webhook.test" });
  });

  test("of several servers one sends each", async () => {
    await happen(30);
    for (let server = 0; server < 3; server++) deliver();
    await until(async () => (await log()).every(({ status }) => status === "DELIVERED"));
    expect(receiver.received).toHaveLength(30);
  });

  test("what a server had taken when it died is sent by another after the lease", async () => {
    await happen();
    let taken = () => {};
    const dying = new Promise<void>((resolve) => {
      taken = resolve;
    });
    // Killed between the sending and the note of it: it never comes back.
    const send = () => {
      taken();
      return new Promise<number>(() => {});
    };
    const dead = new WebhookDeliverer({ store, post: { send }, logger: quiet, now: () => now });
    dead.start();
    await dying;
    void dead.stop();
    deliver();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(receiver.received).toEqual([]);
    now = new Date(now.getTime() + 60_000);
    await until(async () => (await log())[0].status === "DELIVERED");
    expect(receiver.received).toHaveLength(1);
  });

  test("a deleted webhook takes its log with it, and nothing more is sent", async () => {
    await happen(3);
    await webhooks.remove(webhook.id);
    deliver();
    await until(async () => (await store.list(DUE)).length === 0);
    expect(receiver.received).toEqual([]);
    expect(await store.list("webhooks/")).toEqual([]);
  });

  describe("a receiver that does not answer", () => {
    const held: (() => void)[] = [];
    let answers: boolean;
    let slow: WebhookRecord[];
    beforeEach(async () => {
      answers = false;
      slow = [];
      for (let count = 0; count < 3; count++)
        slow.push(await other("slow").create(`${receiver.url}slow`, ["job.failed"], undefined));
    });
    afterEach(() => {
      answers = true;
      for (const end of held.splice(0)) end();
    });

    const other = (tenant: string) => new Webhooks(store, tenant, post, () => now);
    /** Sends to the slow ones, each to the other's end. */
    const send = async (...given: Parameters<WebhookPost["send"]>) => {
      if (!given[0].endsWith("slow")) return post.send(...given);
      if (!answers) await new Promise<void>((resolve) => void held.push(resolve));
      return 204;
    };
    const fail = async (webhook: WebhookRecord, count: number) => {
      const deliveries = Array.from({ length: count }, () =>
        deliveryOf("slow", webhook.id, "job.failed", {}, now),
      );
      await store.commit(deliveries.flatMap(({ writes }) => writes));
    };

    test.each([600, 5_600])("keeps nobody else waiting, with %i deliveries due before", async (count) => {
      await fail(slow[0], count);
      now = new Date(now.getTime() + 1);
      await happen();
      deliver({ send });
      await until(async () => (await log())[0].status === "DELIVERED" && held.length >= 4);
      expect(held).toHaveLength(4);
    });

    test("has four places, and its tenant eight", async () => {
      for (const webhook of slow) await fail(webhook, 10);
      now = new Date(now.getTime() + 1);
      await happen();
      deliver({ send });
      await until(async () => (await log())[0].status === "DELIVERED" && held.length >= 8);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(held).toHaveLength(8);
    });

    test("of many tenants that have all places gets them no more than anybody else", async () => {
      for (let tenant = 0; tenant < 8; tenant++) {
        const webhook = await other(`t${tenant}`).create(`${receiver.url}slow`, ["job.failed"], undefined);
        const writes = Array.from({ length: 20 }, () =>
          deliveryOf(`t${tenant}`, webhook.id, "job.failed", {}, now),
        ).flatMap((delivery) => delivery.writes);
        await store.commit(writes);
      }
      now = new Date(now.getTime() + 1);
      await happen();
      deliver({ send });
      await until(async () => held.length === 32);
      // Of the places that become free, one is for who has waited behind all of them.
      for (const end of held.splice(0)) end();
      await until(async () => (await log())[0].status === "DELIVERED");
      expect((await store.list(DUE)).length).toBeGreaterThan(32);
    });
  });

  test("tests that nobody answers are no more than ten at a time, also of those at the same time", async () => {
    const asked = await Promise.allSettled(Array.from({ length: 10 }, () => webhooks.test(webhook.id)));
    while ((await log()).length < 10) await webhooks.test(webhook.id);
    for (const { reason } of asked.filter((answer) => answer.status === "rejected"))
      expect(reason).toMatchObject({ code: "OVERLOADED" });
    await expect(webhooks.test(webhook.id)).rejects.toMatchObject({ code: "OVERLOADED" });
    const overshooting = Array.from({ length: 5 }, () => webhooks.test(webhook.id).catch(() => {}));
    await Promise.all(overshooting);
    expect(await log()).toHaveLength(10);
    deliver();
    await until(async () => (await log()).every(({ status }) => status === "DELIVERED"));
    expect(await webhooks.test(webhook.id)).toMatchObject({ status: "PENDING" });
  });

  test("a webhook that is deleted while it is enabled, or tested, stays deleted", async () => {
    for (const change of ["enable", "test"] as const) {
      const { id } = await webhooks.create(receiver.url, WEBHOOK_EVENTS, undefined);
      let deleted = false;
      const commit = async (writes: readonly Write[]) => {
        if (!deleted) {
          deleted = true;
          await webhooks.remove(id);
        }
        return store.commit(writes);
      };
      const slower = { get: (key) => store.get(key), list: store.list.bind(store), commit } as Store;
      const late = new Webhooks(slower, "acme", post, () => now);
      await expect(late[change](id)).rejects.toMatchObject({ code: "NOT_FOUND" });
      expect(await webhooks.find(id)).toBeUndefined();
      expect((await webhooks.deliveries(id, 1)).deliveries).toEqual([]);
    }
  });

  test("what is still to be sent is counted, until it is", async () => {
    receiver.status = 500;
    await happen(3);
    const deliverer = deliver();
    await until(async () => (await log()).every(({ attempts }) => attempts === 1));
    await until(async () => deliverer.pending === 3);
    receiver.status = 204;
    now = new Date(now.getTime() + 60_000);
    await until(async () => deliverer.pending === 0);
    expect((await log()).map(({ status }) => status)).toEqual(Array(3).fill("DELIVERED"));
  });

  test("what was sent is known for 30 days", async () => {
    await happen();
    now = new Date(now.getTime() + 31 * 24 * 3600_000);
    await happen();
    await pruneDeliveries(store, now);
    expect(await log()).toHaveLength(1);
  });

  test("a tenant has at most 20, each for some event", async () => {
    await expect(webhooks.create(receiver.url, [], undefined)).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
    });
    for (let count = 1; count < 20; count++) await webhooks.create(receiver.url, WEBHOOK_EVENTS, undefined);
    await expect(webhooks.create(receiver.url, WEBHOOK_EVENTS, undefined)).rejects.toMatchObject({
      code: "QUOTA_EXCEEDED",
    });
  });

  describe("webhooks are told", () => {
    const told = async () =>
      (await log()).map(({ event, body }) => ({ event, ...JSON.parse(body).data })).reverse();

    test("of every end of a job, once, in the commit that ends it", async () => {
      const records = new JobRecords(store, () => now, jobEndWrites(store));
      const { id } = await records.create("acme", "purify", {});
      const jobId = `job_${id}`;
      await records.change("acme", id, () => ({ status: "CANCELLED" }));
      await records.change("acme", id, () => ({ record: { progress: 0.5 } }));
      await records.change("acme", id, () => ({ status: "QUEUED" }));
      await records.change("acme", id, () => ({ status: "VALIDATING" }));
      const failure = { code: "DIVERGED", message: "No.", details: { secret: 1 }, retryable: false } as const;
      await records.change("acme", id, () => ({ status: "FAILED", record: { failure } }));
      expect(await told()).toMatchObject([
        { event: "job.cancelled", tenant: "acme", jobId, kind: "purify", status: "CANCELLED" },
        { event: "job.failed", jobId, failure: { code: "DIVERGED", message: "No.", retryable: false } },
      ]);
    });

    test("of every move of an alias", async () => {
      const aliases = new Aliases(store, "acme");
      const move = { promptSet: "animals", alias: "live", by: "app" };
      await aliases.move({ ...move, to: "v1" });
      await store.commit(await aliases.plan({ ...move, to: "v2", reason: "Better." }));
      await expect(aliases.move({ ...move, to: "v3" }, "v1")).rejects.toMatchObject({ code: "STALE_ALIAS" });
      expect(await told()).toMatchObject([
        {
          event: "alias.moved",
          promptSetId: "promptset_animals",
          alias: "live",
          from: null,
          to: "version_v1",
        },
        { event: "alias.moved", from: "version_v1", to: "version_v2", by: "app", reason: "Better." },
      ]);
    });
  });
});
