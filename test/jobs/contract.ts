import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { AppError } from "../../src/errors.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { chainHash, eventOf, follow, Gate, type JobServer, type StartJobServer } from "./server.ts";

const counted = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** What every queue promises. `start` begins, or begins again, over what the folder stands for. */
export function describeQueue(name: string, start: StartJobServer): void {
  describe(`${name} keeps the promises of a queue`, () => {
    let folder: string;
    let server: JobServer;

    beforeEach(async () => {
      folder = temporaryFolder();
      server = await start(folder);
    });
    afterEach(() => server.close());

    const restart = async (options = {}) => {
      await server.close();
      server = await start(folder, options);
    };
    const enqueue = (spec: object) => server.queue.enqueue("acme", "purify", spec);

    describe("a job that succeeds", () => {
      test("goes through its states, tells its steps in order, and is written with its result at once", async () => {
        const { id } = await enqueue({ steps: 30, every: 10, pause: 2 });
        const { sequence, events, statuses } = await follow(server.queue, "acme", id);
        expect(statuses).toEqual(["QUEUED", "VALIDATING", "RUNNING", "SUCCEEDED"]);
        expect(sequence).toEqual(counted(sequence.length));
        expect(events.filter((event) => event.kind === "checkpoint").map((event) => event.epoch)).toEqual([
          1, 2, 3,
        ]);
        expect(events.filter((event) => event.kind === "step").at(-1)).toMatchObject({
          step: 30,
          progress: 1,
        });
        const job = await server.queue.get("acme", id);
        expect(job).toMatchObject({ status: "SUCCEEDED", progress: 1, attempts: 1 });
        expect(job.result).toEqual({
          hash: chainHash(30),
          resumedFrom: 0,
          threads: 1,
          device: "cpu",
          niceness: 12,
        });
        expect((await server.store.get(`results/${id}`))?.value).toEqual(job.result);
        expect(
          job.finishedAt &&
            job.startedAt &&
            job.createdAt <= job.startedAt &&
            job.startedAt <= job.finishedAt,
        ).toBe(true);
      });

      test("drops steps that come too fast, but no checkpoint", async () => {
        const { id } = await enqueue({ steps: 2000, every: 500 });
        const { events } = await follow(server.queue, "acme", id);
        expect(events.filter((event) => event.kind === "checkpoint")).toHaveLength(4);
        expect(events.filter((event) => event.kind === "step").length).toBeLessThan(1000);
      });

      test("keeps its saved state in a folder of its own", async () => {
        const { id } = await enqueue({ steps: 4, every: 2, end: { how: "failOnce", at: 4 } });
        await follow(server.queue, "acme", id);
        const folder = server.queue.folder(id);
        const saved = readFileSync(join(folder, "checkpoint"), "utf8");
        expect(JSON.parse(saved)).toEqual({ step: 4, hash: chainHash(4) });
        // A failed job can be resumed; one that has succeeded needs its folder no more.
        await server.queue.resume("acme", id);
        await follow(server.queue, "acme", id);
        await until(() => !existsSync(folder));
      });
    });

    describe("waiting", () => {
      test("jobs run one after the other, in the order they came, and know their place", async () => {
        const first = await enqueue({ steps: 5, every: 5, end: { how: "deaf", at: 1 } });
        await eventOf(server.queue, "acme", first.id, (event) => event.kind === "step");
        const second = await enqueue({ steps: 5, every: 5 });
        const third = await enqueue({ steps: 5, every: 5 });
        const positions = [second, third, first].map(({ id }) => server.queue.position(id));
        expect(await Promise.all(positions)).toEqual([1, 2, undefined]);
        expect(await server.queue.counts()).toEqual({ waiting: 2, running: 1 });
        await server.queue.cancel("acme", first.id);
        await follow(server.queue, "acme", third.id);
        const [one, two, three] = await Promise.all(
          [first, second, third].map(({ id }) => server.queue.get("acme", id)),
        );
        expect([one, two, three].map(({ status }) => status)).toEqual([
          "CANCELLED",
          "SUCCEEDED",
          "SUCCEEDED",
        ]);
        expect(two.finishedAt! <= three.startedAt!).toBe(true);
      });

      test("past the bound the answer is OVERLOADED, and nothing is stored", async () => {
        await restart({ capacity: 1, concurrency: 0 });
        await enqueue({ steps: 1, every: 1 });
        const refused = enqueue({ steps: 1, every: 1 });
        await expect(refused).rejects.toMatchObject({
          code: "OVERLOADED",
          details: { retryAfterMs: expect.any(Number) },
        });
        expect(await server.queue.list("acme")).toHaveLength(1);
      });

      test("of many that come at once, no more are admitted than may wait", async () => {
        await restart({ capacity: 3, concurrency: 0 });
        const answers = await Promise.allSettled(counted(10).map(() => enqueue({ steps: 1, every: 1 })));
        expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
        expect(await server.queue.list("acme")).toHaveLength(3);
      });

      test("what is written alongside a new job is written with it, or neither is", async () => {
        await restart({ concurrency: 0 });
        const enqueueOnce = () =>
          server.queue.enqueue("acme", "audit", { steps: 1, every: 1 }, ({ id }) => [
            { kind: "put", key: "once", value: id, expected: 0 },
          ]);
        const { id } = await enqueueOnce();
        await expect(enqueueOnce()).rejects.toMatchObject({ code: "IDEMPOTENCY_CONFLICT" });
        expect((await server.store.get("once"))?.value).toBe(id);
        expect(await server.queue.list("acme")).toHaveLength(1);
      });

      test("lists a tenant's own jobs, newest first, in pages", async () => {
        await restart({ concurrency: 0 });
        const ids = [];
        for (const steps of counted(4)) ids.unshift((await enqueue({ steps, every: 1 })).id);
        await server.queue.enqueue("other", "audit", { steps: 1, every: 1 });
        expect((await server.queue.list("acme")).map(({ id }) => id)).toEqual(ids);
        const page = await server.queue.list("acme", { after: ids[0], limit: 2 });
        expect(page.map(({ id }) => id)).toEqual(ids.slice(1, 3));
      });

      test("a job of another tenant is NOT_FOUND by every door", async () => {
        await restart({ concurrency: 0 });
        const { id } = await enqueue({ steps: 1, every: 1 });
        const { queue } = server;
        const doors = [
          () => queue.get("other", id),
          () => queue.cancel("other", id),
          () => queue.resume("other", id),
          () => queue.events("other", id, 0).next(),
        ];
        for (const door of doors) await expect(door()).rejects.toMatchObject({ code: "NOT_FOUND" });
        expect(await queue.get("acme", id)).toMatchObject({ status: "QUEUED" });
      });
    });

    describe("cancelling", () => {
      test("a waiting job is cancelled at once and never started", async () => {
        await restart({ concurrency: 0 });
        const { id } = await enqueue({ steps: 1, every: 1 });
        expect(await server.queue.cancel("acme", id)).toMatchObject({ status: "CANCELLED" });
        expect(await server.queue.position(id)).toBeUndefined();
        expect((await follow(server.queue, "acme", id)).statuses).toEqual(["QUEUED", "CANCELLED"]);
        await restart();
        expect(await server.queue.get("acme", id)).toMatchObject({ status: "CANCELLED", attempts: 0 });
      });

      test.each([
        ["that listens stops between two steps", { steps: 10_000, every: 10, pause: 5 }],
        [
          "that does not listen is killed after the grace period",
          { steps: 10, every: 1, end: { how: "deaf", at: 2 } },
        ],
      ])("a running job %s", async (_, spec) => {
        await restart({ graceMilliseconds: 500 });
        const { id } = await enqueue(spec);
        await eventOf(server.queue, "acme", id, (event) => event.kind === "checkpoint");
        expect(await server.queue.cancel("acme", id)).toMatchObject({ status: "CANCELLING" });
        const { statuses } = await follow(server.queue, "acme", id);
        expect(statuses).toEqual(["QUEUED", "VALIDATING", "RUNNING", "CANCELLING", "CANCELLED"]);
      });

      test("a finished job stays as it is", async () => {
        const { id } = await enqueue({ steps: 1, every: 1 });
        await follow(server.queue, "acme", id);
        expect(await server.queue.cancel("acme", id)).toMatchObject({ status: "SUCCEEDED" });
      });
    });

    describe("failing", () => {
      test("an expected error is told with its code, message and facts", async () => {
        const { id } = await enqueue({ steps: 10, every: 5, end: { how: "appError", at: 3 } });
        expect((await follow(server.queue, "acme", id)).statuses.at(-1)).toBe("FAILED");
        expect((await server.queue.get("acme", id)).failure).toEqual({
          code: "DIVERGED",
          message: "The loss is not a number.",
          details: { at: "fixture" },
          retryable: false,
        });
      });

      test("a handler refuses its spec before it runs", async () => {
        const { id } = await enqueue({ steps: "many" });
        const { statuses } = await follow(server.queue, "acme", id);
        expect(statuses).toEqual(["QUEUED", "VALIDATING", "FAILED"]);
        expect((await server.queue.get("acme", id)).failure?.code).toBe("BAD_USER_INPUT");
      });

      test("an unexpected error is masked, and told to the log", async () => {
        const { id } = await enqueue({ steps: 10, every: 5, end: { how: "unexpected", at: 3 } });
        await follow(server.queue, "acme", id);
        const { failure } = await server.queue.get("acme", id);
        expect(failure?.code).toBe("INTERNAL");
        expect(JSON.stringify(failure)).not.toMatch(/secret|TypeError|fixture-handlers/);
        expect(JSON.stringify(server.lines)).toMatch(/a secret of the inside/);
      });

      test("an error of the completion fails the job and writes nothing", async () => {
        await restart({
          complete: () => Promise.reject(new AppError("GATE_FAILED", "The gate did not pass.")),
        });
        const { id } = await enqueue({ steps: 1, every: 1 });
        expect((await follow(server.queue, "acme", id)).statuses.at(-1)).toBe("FAILED");
        expect((await server.queue.get("acme", id)).failure?.code).toBe("GATE_FAILED");
        expect(await server.store.get(`results/${id}`)).toBeUndefined();
      });

      test("a completion whose writes meet a change is asked again", async () => {
        let asked = 0;
        await restart({
          complete: async () => {
            const revision = (await server.store.get("alias"))?.revision ?? 0;
            if (asked++ === 0)
              await server.store.commit([{ kind: "put", key: "alias", value: "moved meanwhile" }]);
            const write = { kind: "put", key: "alias", value: "by the job", expected: revision } as const;
            return { result: asked, writes: [write] };
          },
        });
        const { id } = await enqueue({ steps: 1, every: 1 });
        await follow(server.queue, "acme", id);
        expect(await server.queue.get("acme", id)).toMatchObject({ status: "SUCCEEDED", result: 2 });
        expect(await server.store.get("alias")).toMatchObject({ value: "by the job", revision: 2 });
      });
    });

    describe("resuming", () => {
      test("a failed job goes on from its checkpoint to the same result", async () => {
        const { id } = await enqueue({ steps: 12, every: 5, end: { how: "failOnce", at: 7 } });
        const first = await follow(server.queue, "acme", id);
        expect(first.statuses.at(-1)).toBe("FAILED");
        expect(await server.queue.resume("acme", id)).toMatchObject({ status: "QUEUED" });
        const second = await follow(server.queue, "acme", id, first.sequence.at(-1));
        expect(second.statuses).toEqual(["QUEUED", "VALIDATING", "RUNNING", "SUCCEEDED"]);
        const job = await server.queue.get("acme", id);
        expect(job.result).toMatchObject({ hash: chainHash(12), resumedFrom: 5 });
        expect(job.failure).toBeUndefined();
        const whole = await follow(server.queue, "acme", id);
        expect(whole.sequence).toEqual([...first.sequence, ...second.sequence]);
      });

      test("a cancelled job goes on", async () => {
        const gate = new Gate();
        const { id } = await enqueue({ steps: 60, every: 10, ...gate.at(45) });
        await eventOf(server.queue, "acme", id, (event) => event.kind === "checkpoint");
        await server.queue.cancel("acme", id);
        await follow(server.queue, "acme", id);
        gate.open();
        await server.queue.resume("acme", id);
        await follow(server.queue, "acme", id);
        const { status, result } = await server.queue.get("acme", id);
        expect({ status, result }).toMatchObject({ status: "SUCCEEDED", result: { hash: chainHash(60) } });
      });

      test("a job that is not at an end, or has succeeded, is not resumed", async () => {
        const { id } = await enqueue({ steps: 1, every: 1 });
        await expect(server.queue.resume("acme", id)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
        await follow(server.queue, "acme", id);
        await expect(server.queue.resume("acme", id)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
      });

      test("a job is resumed only for so long after its end", async () => {
        const hour = 3_600_000;
        const gate = new Gate();
        const { id } = await enqueue({ steps: 20, every: 10, ...gate.at(15) });
        await eventOf(server.queue, "acme", id, (event) => event.kind === "checkpoint");
        await server.queue.cancel("acme", id);
        await follow(server.queue, "acme", id);
        gate.open();
        await restart({ resumeMilliseconds: hour, now: () => new Date(Date.now() + 2 * hour) });
        await expect(server.queue.resume("acme", id)).rejects.toMatchObject({
          code: "VALIDATION_FAILED",
          message: expect.stringContaining("too long ago"),
        });
        expect(await server.queue.get("acme", id)).toMatchObject({ status: "CANCELLED" });
        await restart({ resumeMilliseconds: hour });
        await server.queue.resume("acme", id);
        await follow(server.queue, "acme", id);
        expect(await server.queue.get("acme", id)).toMatchObject({ status: "SUCCEEDED" });
      });
    });

    describe("a tenant that may have only so much time", () => {
      const spent = new AppError("QUOTA_EXCEEDED", "There is no time left.", { quota: "computeSeconds" });
      /** Counts what is charged, and refuses more once it has reached the budget. */
      const budgetOf = (seconds: number) => {
        const budget = { seconds, used: 0 };
        const charge = async (tenant: string, more: number) => {
          if (tenant === "acme") budget.used += more;
          return budget.used >= budget.seconds ? spent : undefined;
        };
        return { budget, meter: { charge }, meterMilliseconds: 10 };
      };
      const failed = { status: "FAILED", failure: { code: "QUOTA_EXCEEDED", retryable: true } };

      test("has its job stopped at a checkpoint, and resumed to the same result when there is more", async () => {
        const { budget, ...options } = budgetOf(0.3);
        await restart(options);
        const { id } = await enqueue({ steps: 60, every: 10, pause: 20 });
        const { events } = await follow(server.queue, "acme", id);
        expect(await server.queue.get("acme", id)).toMatchObject(failed);
        expect(budget.used).toBeGreaterThan(0.3);
        const checkpoints = events.filter(({ kind }) => kind === "checkpoint").length;
        expect(checkpoints).toBeGreaterThan(0);
        budget.seconds = Number.POSITIVE_INFINITY;
        await server.queue.resume("acme", id);
        await follow(server.queue, "acme", id);
        const { result } = await server.queue.get("acme", id);
        expect(result).toMatchObject({ hash: chainHash(60), resumedFrom: 10 * checkpoints });
      });

      test("waits for a checkpoint only so long", async () => {
        const { budget: _, ...options } = budgetOf(0.05);
        await restart({ ...options, checkpointMilliseconds: 50 });
        const { id } = await enqueue({ steps: 10_000, every: 10_000, pause: 5 });
        await follow(server.queue, "acme", id);
        expect(await server.queue.get("acme", id)).toMatchObject(failed);
      });

      test("has a job that waited refused without a process when its turn comes", async () => {
        const { budget: _, ...options } = budgetOf(0);
        await restart(options);
        const { id } = await enqueue({ steps: 1, every: 1 });
        const { statuses, events } = await follow(server.queue, "acme", id);
        expect(statuses).toEqual(["QUEUED", "VALIDATING", "FAILED"]);
        expect(events).toHaveLength(3);
        expect(JSON.stringify(server.lines)).not.toContain("process started");
      });

      test("is charged for all of a job's time, and not for others'", async () => {
        const { budget, ...options } = budgetOf(Number.POSITIVE_INFINITY);
        await restart({ ...options, meterMilliseconds: 60_000 });
        await follow(
          server.queue,
          "other",
          (await server.queue.enqueue("other", "audit", { steps: 1, every: 1 })).id,
        );
        expect(budget.used).toBe(0);
        await follow(server.queue, "acme", (await enqueue({ steps: 10, every: 5, pause: 20 })).id);
        expect(budget.used).toBeGreaterThan(0.2);
      });
    });

    describe("following", () => {
      test("replays from any sequence number", async () => {
        const { id } = await enqueue({ steps: 20, every: 5 });
        const { sequence } = await follow(server.queue, "acme", id);
        for (const after of sequence)
          expect((await follow(server.queue, "acme", id, after)).sequence).toEqual(sequence.slice(after));
        expect((await follow(server.queue, "acme", id, 10_000)).sequence).toEqual([]);
      });

      test("what was told long ago is removed: following ends at once, and the job stays, for good", async () => {
        const day = 24 * 3_600_000;
        const gate = new Gate();
        const { id: done } = await enqueue({ steps: 20, every: 5 });
        await follow(server.queue, "acme", done);
        const { id: failed } = await enqueue({ steps: 2, every: 1, end: { how: "failOnce", at: 1 } });
        await follow(server.queue, "acme", failed);
        const { id: running } = await enqueue({ steps: 20, every: 5, ...gate.at(15) });
        await eventOf(server.queue, "acme", running, (event) => event.kind === "checkpoint");
        const before = await server.queue.get("acme", done);

        await server.queue.dropEvents("acme", new Date(Date.now() - day));
        expect((await follow(server.queue, "acme", done)).sequence).not.toEqual([]);

        const slow = server.queue.events("acme", done, 0);
        await slow.next();
        await server.queue.dropEvents("acme", new Date(Date.now() + day));
        await server.queue.dropEvents("acme", new Date(Date.now() + day));
        for (const id of [done, failed]) {
          expect((await follow(server.queue, "acme", id)).sequence).toEqual([]);
          expect((await follow(server.queue, "acme", id, 3)).sequence).toEqual([]);
        }
        // Whoever was at it is let go, too.
        for await (const _ of slow);
        expect(await server.queue.get("acme", done)).toEqual({ ...before, eventsDropped: true });
        // It would tell its steps from 1 again.
        await expect(server.queue.resume("acme", failed)).rejects.toMatchObject({
          code: "VALIDATION_FAILED",
        });

        gate.open();
        const { sequence } = await follow(server.queue, "acme", running);
        expect(sequence).toEqual(counted(sequence.length));
        expect(sequence.length).toBeGreaterThan(5);
      });

      test("late and slow readers are told the same as an early one", async () => {
        const { id } = await enqueue({ steps: 40, every: 2, pause: 5 });
        const early = follow(server.queue, "acme", id);
        await eventOf(server.queue, "acme", id, (event) => event.kind === "checkpoint" && event.epoch === 10);
        const slow: number[] = [];
        for await (const { seq } of server.queue.events("acme", id, 0)) {
          slow.push(seq);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        expect(slow).toEqual((await early).sequence);
        expect(slow).toEqual(counted(slow.length));
      });

      test("a reader that leaves while nothing happens is let go at once", async () => {
        await restart({ concurrency: 0 });
        const { id } = await enqueue({ steps: 1, every: 1 });
        const events = server.queue.events("acme", id, 1);
        const pending = events.next();
        await events.return?.();
        expect(await pending).toEqual({ done: true, value: undefined });
        const abort = new AbortController();
        const aborted = server.queue.events("acme", id, 1, abort.signal).next();
        abort.abort();
        expect(await aborted).toEqual({ done: true, value: undefined });
      });
    });
  });
}
