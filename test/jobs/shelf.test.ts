import { existsSync, readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { checkpointPath, jobFolder } from "../../src/jobs/folder.ts";
import type { JobRecord } from "../../src/jobs/job.ts";
import { clearLeftStates } from "../../src/jobs/left-states.ts";
import { JobRecords } from "../../src/jobs/records.ts";
import { JobRun } from "../../src/jobs/run.ts";
import { runOptions } from "../../src/jobs/run-options.ts";
import { S3Shelf, SharedShelf, type Shelf } from "../../src/jobs/shelf.ts";
import { isOver } from "../../src/jobs/states.ts";
import { writeDurably } from "../../src/store/durable-file.ts";
import { S3Bucket } from "../../src/store/s3-bucket.ts";
import { withS3 } from "../support/s3-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { chainHash, eventOf, follow, Gate, Log, optionsOf, startServer } from "./server.ts";

const HOUR_MILLISECONDS = 3_600_000;
const s3 = withS3();
let opened = 0;
const save = (folder: string, state: string) => writeDurably(checkpointPath(folder), Buffer.from(state));
const saved = (folder: string) => readFileSync(checkpointPath(folder), "utf8");

/** What every shelf promises. `another` makes the folder that the same job has on another machine. */
function describeShelf(
  name: string,
  open: (root: string) => Promise<Shelf>,
  another: (folder: string) => string,
): void {
  describe(`${name} keeps the promises of a shelf`, () => {
    test("whoever goes on with a job finds the state that was kept", async () => {
      const root = temporaryFolder();
      const shelf = await open(root);
      const here = jobFolder(root, "job");
      await save(here, "first");
      await shelf.keep("job", here);
      await save(here, "second");
      const kept = await shelf.keep("job", here);
      const there = another(here);
      await shelf.restore("job", there, kept);
      expect(saved(there)).toBe("second");
      if (kept !== undefined) await shelf.discard("job", kept);
    });

    test("what jobs that are over have left is cleared, and no other job's", async () => {
      const folder = temporaryFolder();
      const root = join(folder, "jobs");
      const shelf = await open(root);
      const server = await startServer(folder, { shelf, concurrency: 2 });
      const gate = new Gate();
      const start = (tenant: string, spec: object) =>
        server.queue.enqueue(tenant, "purify", { steps: 40, every: 4, ...spec });
      const done = await start("other", {});
      await follow(server.queue, "other", done.id);
      const failed = await start("acme", { end: { how: "failOnce", at: 30 } });
      await follow(server.queue, "acme", failed.id);
      const running = await start("acme", gate.at(30));
      await eventOf(server.queue, "acme", running.id, ({ kind }) => kind === "checkpoint");
      await until(async () => !(await shelf.jobs()).includes(done.id));

      // As whoever ran it would have left it, killed right after the success.
      for (const id of [done.id, "somebody-elses"]) {
        await save(jobFolder(root, id), "left");
        await shelf.keep(id, jobFolder(root, id));
      }
      const tenants = ["acme", "other"];
      const tooOldAt = (now: number) => (job: JobRecord) => isOver(job, new Date(now), HOUR_MILLISECONDS);
      await clearLeftStates(shelf, server.queue, tenants, tooOldAt(Date.now()));
      expect((await shelf.jobs()).sort()).toEqual([failed.id, running.id, "somebody-elses"].sort());

      gate.open();
      await server.queue.resume("acme", failed.id);
      for (const { id } of [failed, running]) {
        await follow(server.queue, "acme", id);
        expect((await server.queue.get("acme", id)).result).toMatchObject({ hash: chainHash(40) });
      }
      expect((await server.queue.get("acme", failed.id)).result).toMatchObject({ resumedFrom: 28 });

      const lost = await start("acme", { end: { how: "failOnce", at: 30 } });
      await follow(server.queue, "acme", lost.id);
      await clearLeftStates(shelf, server.queue, tenants, tooOldAt(Date.now()));
      expect(await shelf.jobs()).toContain(lost.id);
      await clearLeftStates(shelf, server.queue, tenants, tooOldAt(Date.now() + 2 * HOUR_MILLISECONDS));
      expect(await shelf.jobs()).not.toContain(lost.id);
      await server.close();
      await shelf.clear("somebody-elses");
      expect(await shelf.jobs()).toEqual([]);
    });
  });
}

describeShelf(
  "SharedShelf",
  async (root) => new SharedShelf(root),
  (folder) => folder,
);
describeShelf(
  "S3Shelf",
  async () => new S3Shelf(await S3Bucket.open({ ...s3().options(), prefix: `shelf-${opened++}` })),
  () => temporaryFolder(),
);

describe("S3Shelf", () => {
  const open = async () => new S3Shelf(await S3Bucket.open(s3().options()));

  test("what was saved but not kept does not count", async () => {
    const [shelf, folder] = [await open(), temporaryFolder()];
    await save(folder, "first");
    const kept = await shelf.keep("a", folder);
    await save(folder, "not kept");
    await shelf.restore("a", folder, kept);
    expect(saved(folder)).toBe("first");
    await shelf.restore("a", folder, undefined);
    expect(existsSync(checkpointPath(folder))).toBe(false);
  });

  test("equal states of two jobs are two: discarding one leaves the other", async () => {
    const [shelf, folder] = [await open(), temporaryFolder()];
    await save(folder, "equal");
    const kept = await shelf.keep("b", folder);
    expect(await shelf.keep("c", folder)).toBe(kept);
    await shelf.discard("b", kept);
    await shelf.restore("c", temporaryFolder(), kept);
    await expect(shelf.restore("b", temporaryFolder(), kept)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("clearing a job's part leaves nothing of it, and everything of the others", async () => {
    const [shelf, folder] = [await open(), temporaryFolder()];
    for (const state of ["one", "two", "three"]) {
      await save(folder, state);
      await shelf.keep("d", folder);
    }
    const kept = await shelf.keep("d2", folder);
    await shelf.clear("d");
    expect(readdirSync(s3().path("jobs/d"))).toEqual([]);
    await shelf.restore("d2", temporaryFolder(), kept);
  });

  test("a job that succeeds leaves nothing behind, not even what a killed attempt had kept without a word", async () => {
    const folder = temporaryFolder();
    const shelf = await open();
    const first = await startServer(folder, { shelf });
    const gate = new Gate();
    const { id } = await first.queue.enqueue("acme", "purify", { steps: 40, every: 4, ...gate.at(30) });
    await eventOf(first.queue, "acme", id, ({ kind }) => kind === "checkpoint");
    await first.close();
    expect(readdirSync(s3().path(`jobs/${id}`))).toHaveLength(1);
    gate.open();
    const another = temporaryFolder();
    await save(another, "kept by a worker that was killed before it could note it");
    await shelf.keep(id, another);
    const second = await startServer(folder, { shelf });
    await follow(second.queue, "acme", id);
    expect((await second.queue.get("acme", id)).result).toMatchObject({ hash: chainHash(40) });
    // The states go after the success is told; the queue stops when they are gone.
    await second.close();
    expect(readdirSync(s3().path(`jobs/${id}`))).toEqual([]);
  });

  test("what an attempt left that was killed right after its success goes when the job is handed out again", async () => {
    const [folder, shelf, log] = [temporaryFolder(), await open(), new Log()];
    const server = await startServer(folder, { shelf });
    const { id } = await server.queue.enqueue("acme", "purify", { steps: 2, every: 1 });
    await follow(server.queue, "acme", id);
    await save(folder, "left");
    await shelf.keep(id, folder);
    const records = new JobRecords(server.store, () => new Date());
    const run = new JobRun(
      runOptions({ ...optionsOf(folder, server.store, log), shelf }, records),
      "acme",
      id,
    );
    expect(await run.perform()).toBe(false);
    expect(readdirSync(s3().path(`jobs/${id}`))).toEqual([]);
    expect(await server.queue.get("acme", id)).toMatchObject({ status: "SUCCEEDED", attempts: 1 });
    await server.close();
  });

  test("an attempt that is over leaves nothing on its machine, whatever became of the job", async () => {
    const [folder, shelf] = [temporaryFolder(), await open()];
    const server = await startServer(folder, { shelf });
    const gate = new Gate();
    const plan = { steps: 40, every: 4 };
    const attemptsOf = () => readdirSync(join(folder, "jobs"));
    const failed = await server.queue.enqueue("acme", "purify", {
      ...plan,
      end: { how: "failOnce", at: 30 },
    });
    await follow(server.queue, "acme", failed.id);
    const { id } = await server.queue.enqueue("acme", "purify", { ...plan, ...gate.at(30) });
    await eventOf(server.queue, "acme", id, ({ kind }) => kind === "checkpoint");
    expect(attemptsOf()).toEqual([`${id}.1`]);
    // The failed one goes on from the bucket, in a folder of its next attempt.
    await server.queue.resume("acme", failed.id);
    gate.open();
    for (const job of [id, failed.id]) {
      await follow(server.queue, "acme", job);
      expect((await server.queue.get("acme", job)).result).toMatchObject({ hash: chainHash(40) });
    }
    expect((await server.queue.get("acme", failed.id)).result).toMatchObject({ resumedFrom: 28 });
    await server.close();
    expect(attemptsOf()).toEqual([]);
  });

  test("an attempt that leaves late takes nothing from another of the same job on its machine", async () => {
    const [root, shelf] = [temporaryFolder(), await open()];
    const [first, second] = [1, 2].map((attempt) => shelf.folder(root, "e", attempt));
    for (const folder of [first, second]) await shelf.restore("e", folder, undefined);
    await save(second, "at work");
    await shelf.leave(first);
    expect(saved(second)).toBe("at work");
    expect(readdirSync(root)).toEqual(["e.2"]);
  });

  test("folders of attempts that were killed are removed when nothing was written in them for long", async () => {
    const [root, shelf, killed] = [temporaryFolder(), await open(), await open()];
    const age = (folder: string) => utimesSync(folder, 0, 0);
    const [orphan, writing] = ["f", "g"].map((id) => killed.folder(root, id, 3));
    for (const folder of [orphan, writing]) await save(folder, "state");
    const running = shelf.folder(root, "h", 1);
    await shelf.restore("h", running, undefined);
    // Named as where there is no bucket: it may have what nobody else has.
    const own = jobFolder(root, "i");
    await save(own, "state");
    for (const folder of [orphan, own]) age(checkpointPath(folder));
    for (const folder of [orphan, writing, running, own]) age(folder);
    await shelf.clearFolders(root, new Date(Date.now() - HOUR_MILLISECONDS));
    expect(readdirSync(root)).toEqual(["g.3", "h.1", "i"]);
    await shelf.clearFolders(join(root, "not-made-yet"), new Date());
  });
});
