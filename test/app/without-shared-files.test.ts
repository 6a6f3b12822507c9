import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { describeWithRedis } from "../support/redis-server.ts";
import { withS3 } from "../support/s3-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { isAlive, until } from "../support/until.ts";
import { digestOf, eventsOf, FOLLOW, untilCheckpoint } from "./jobs.ts";
import { serve, work } from "./programs.ts";
import { FEW_LABELS, PURIFY, quickPurification, ZOO } from "./server.ts";

/** Long enough to be killed between its first epochs and its last. */
const INPUT = { ...quickPurification("bucket"), innerSteps: 4, epochs: 30 };

const CLASSIFY = `query ($image: String!) {
  classify(input: { images: [{ base64: $image }], topK: 1, through: { alias: { promptSet: "bucket", alias: "live" } } }) {
    served { digest }
    results { ... on Prediction { labels { label } } }
  }
}`;

describeWithRedis((redis) => {
  const s3 = withS3();

  /** A machine of its own: it shares no folder with any other, and brings no model along. */
  function machine(): Record<string, string> {
    const folder = temporaryFolder();
    const variables = { DATA_DIR: join(folder, "data"), MODELS_DIR: join(folder, "models") };
    mkdirSync(variables.MODELS_DIR);
    return { ...variables, REDIS_URL: redis().url, ...s3().variables };
  }

  const states = (id: string) => readdirSync(s3().path(`jobs/${id.slice("job_".length)}`));

  test("a worker that is killed at work is followed by one on another machine: the same digest as alone", async () => {
    const alone = await serve({ DATA_DIR: temporaryFolder() });
    const undisturbed = (await alone.ask(PURIFY, { input: INPUT, key: "k" })).data.purify.job.id;
    await alone.follow(FOLLOW, { id: undisturbed });
    const expected = await digestOf(alone, undisturbed);
    alone.child.kill("SIGKILL");

    const one = await serve({ ...machine(), MODELS_DIR: join(ZOO, "models") });
    const other = await serve(machine());
    const workers = await Promise.all([work(machine()), work(machine())]);
    const { data } = await other.ask(PURIFY, { input: INPUT, key: "k" });
    const { id } = data.purify.job;
    const events = one.follow(FOLLOW, { id });
    await untilCheckpoint(one, id, 2);
    const busy = workers.find((worker) => worker.output().includes("a job's process started"));
    const pid = Number(/"pid":(\d+),"attempt":1/.exec(busy?.output() ?? "")?.[1]);
    expect(isAlive(pid)).toBe(true);
    busy?.child.kill("SIGKILL");
    // What it ran for the job ends by itself.
    await until(() => !isAlive(pid));
    expect(states(id)).not.toEqual([]);
    await events;
    for (const server of [one, other]) expect(await digestOf(server, id)).toBe(expected);

    // It went on where the other had been: nothing was searched again.
    const told = await eventsOf(other, id);
    const again = told.findLastIndex(({ status }) => status === "QUEUED");
    expect(again).toBeGreaterThan(0);
    const phases = told.slice(again).flatMap(({ phase }) => phase ?? []);
    expect(new Set(phases)).toEqual(new Set(["tune"]));
    // A job that has succeeded leaves no state behind; they go right after its success is told.
    await until(() => states(id).length === 0);

    // The machine that brought no model answers through what the others have learned.
    const image = readFileSync(join(ZOO, "shots", FEW_LABELS[0], "00.png")).toString("base64");
    const answer = await other.ask(CLASSIFY, { image });
    expect(answer).toMatchObject({ data: { classify: { served: { digest: expected } } } });
    expect(answer.data.classify.results[0].labels).toEqual([{ label: FEW_LABELS[0] }]);
  });
});
