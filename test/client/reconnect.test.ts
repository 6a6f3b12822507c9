import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { Connection } from "../../client/connection.ts";
import { followEvents } from "../../client/events.ts";
import { Antidote, type JobEvent } from "../../client/index.ts";
import { ADMIN_KEY, quickPurification, startTestServer, type TestServer } from "../app/server.ts";
import { CuttableLink } from "../support/cuttable-link.ts";

let server: TestServer;
let link: CuttableLink;
let antidote: Antidote;

beforeAll(async () => {
  server = await startTestServer();
  link = await CuttableLink.to(portOf(server));
  antidote = new Antidote(options());
});

const portOf = ({ app }: TestServer) => Number(new URL(app.url).port);

const options = () => ({
  url: `http://127.0.0.1:${link.port}`,
  key: ADMIN_KEY,
  retry: { attempts: 50, baseMs: 10, longestMs: 100 },
});

afterAll(() => link.close());

const seqsOf = (events: readonly JobEvent[]) => events.map(({ seq }) => seq);

/** Each epoch is told of, which is a place to be cut at. */
const EPOCHS = 5;
const purification = (promptSet: string, epochs = EPOCHS) => ({ ...quickPurification(promptSet), epochs });

/** Every stored event, as the server itself tells them. */
async function stored(id: string): Promise<number[]> {
  const seqs: number[] = [];
  for (;;) {
    const { data } = await server.ask(
      "query ($id: ID!, $after: Int!) { job(id: $id) { events(afterSeq: $after, first: 100) { seq } } }",
      { id, after: seqs.length },
    );
    if (data.job.events.length === 0) return seqs;
    seqs.push(...data.job.events.map(({ seq }: { seq: number }) => seq));
  }
}

describe("the events of a purification", () => {
  test("come each once and in order though the connection is cut again and again, and closed for a while", async () => {
    const job = await antidote.purify(purification("cut"));
    const events: JobEvent[] = [];
    for await (const event of job.events()) {
      events.push(event);
      if (event.__typename !== "CheckpointSaved") continue;
      if (event.checkpoint.epoch % 2 === 0) {
        link.set("closed");
        setTimeout(() => link.set("open"), 100);
      }
      link.cut();
    }
    const all = await stored(job.id);
    expect(seqsOf(events)).toEqual(all);
    expect(events.filter(({ __typename }) => __typename === "CheckpointSaved")).toHaveLength(EPOCHS);
    expect(events.at(-1)).toMatchObject({ __typename: "StatusChanged", status: "SUCCEEDED" });

    const rest: JobEvent[] = [];
    for await (const event of job.events({ afterSeq: 3 })) rest.push(event);
    expect(seqsOf(rest)).toEqual(all.slice(3));
  });

  test("go on when the connection has gone silent, with nobody told", async () => {
    let opened = 0;
    class Watched extends WebSocket {
      constructor(url: string, protocols: string[]) {
        // The first one is silent until it is given up.
        if (opened++ > 0) link.set("open");
        super(url, protocols);
      }
    }
    const watching = new Antidote({ ...options(), webSocket: Watched, keepAliveMs: 200 });
    const job = await watching.purify(purification("silent", 30));
    const events: JobEvent[] = [];
    for await (const event of job.events()) {
      events.push(event);
      if (opened === 1 && event.__typename === "CheckpointSaved") link.set("silent");
    }
    expect(opened).toBeGreaterThan(1);
    expect(seqsOf(events)).toEqual(await stored(job.id));
  });

  test("are refused for good to a key that is not valid", async () => {
    const { data } = await server.ask("{ jobs { id } }");
    const key = await server.tenant("leaving", ["PROMPTS_WRITE"]);
    const strange = new Antidote({ ...options(), key });
    await expect(strange.job(data.jobs[0].id)).rejects.toMatchObject({ code: "NOT_FOUND" });
    const connection = new Connection({ ...options(), key: "nobody" });
    const events = followEvents(connection, data.jobs[0].id, async () => false);
    await expect(events.next()).rejects.toMatchObject({ code: "UNAUTHENTICATED", retryable: false });
    const foreign = followEvents(new Connection({ ...options(), key }), data.jobs[0].id, async () => false);
    await expect(foreign.next()).rejects.toMatchObject({ code: "NOT_FOUND", retryable: false });
  });
});

describe("a start whose answer is lost", () => {
  test("is sent again, and there is one job", async () => {
    const before = (await server.ask("{ jobs(first: 100) { id } }")).data.jobs.length;
    const lossy = await CuttableLink.to(portOf(server));
    lossy.set("deaf");
    const calling = new Antidote({ ...options(), url: `http://127.0.0.1:${lossy.port}` });
    const starting = calling.purify(quickPurification("answer-lost"));
    await lossy.swallowed();
    lossy.set("open");
    lossy.cut();
    const job = await starting;
    expect(job.replayed).toBe(true);
    await job.cancel();
    lossy.close();
    expect((await server.ask("{ jobs(first: 100) { id } }")).data.jobs).toHaveLength(before + 1);
  });
});
