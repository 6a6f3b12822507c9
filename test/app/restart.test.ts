import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "@jest/globals";
import { compiled } from "../support/compiled.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { eventsOf } from "./jobs.ts";
import { ADMIN_KEY, type Client, clientOf, OURS, PURIFY, quickPurification } from "./server.ts";

const processes: ChildProcess[] = [];

afterEach(() => {
  for (const child of processes) child.kill("SIGKILL");
});

interface Running extends Client {
  readonly child: ChildProcess;
  readonly banner: string;
}

/** The program itself, as `npm start` runs it; resolves when it says that it is ready. */
async function start(folder: string, variables: Record<string, string> = { ADMIN_KEY }): Promise<Running> {
  const env = {
    ...process.env,
    ...OURS,
    ADMIN_KEY: "",
    ...variables,
    PORT: "0",
    DATA_DIR: folder,
    LOG_LEVEL: "warn",
  };
  const child = spawn(process.execPath, [fileURLToPath(compiled("src/main"))], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  processes.push(child);
  let banner = "";
  await new Promise<void>((resolve, reject) => {
    // Read to its end: what nobody reads is broken off, and so would be whoever writes it.
    child.stdout.on("data", (chunk) => {
      banner += chunk;
      if (banner.includes("Device")) resolve();
    });
    child.once("close", () => reject(new Error(`The program ended: ${banner}`)));
  });
  const url = /GraphQL +(\S+)\/graphql/.exec(banner)?.[1] ?? "";
  return { child, banner, ...clientOf(url) };
}

async function kill({ child }: Running, signal: NodeJS.Signals): Promise<number | null> {
  child.kill(signal);
  const [code] = await once(child, "exit");
  return code;
}

describe("the first start", () => {
  test("shows an admin key that works, and no later start shows it again", async () => {
    const folder = temporaryFolder();
    const first = await start(folder, {});
    const key = /Admin key +(\S+)/.exec(first.banner)?.[1];
    expect(first.banner).toContain(`/#key=${key}`);
    const { data } = await first.ask(
      "{ viewer { tenant scopes } models { name } datasets { name } }",
      {},
      { key },
    );
    expect(data).toMatchObject({ viewer: { tenant: "demo" }, datasets: [{ name: "scenes-shots" }] });
    expect(data.models.map(({ name }: { name: string }) => name)).toContain("scenes-badnet");
    expect(await kill(first, "SIGTERM")).toBe(0);
    const second = await start(folder, {});
    expect(second.banner).not.toContain("Admin key");
    expect((await second.ask("{ viewer { tenant } }", {}, { key })).data.viewer.tenant).toBe("demo");
  });

  test("shows no key when the environment has one", async () => {
    const server = await start(temporaryFolder());
    expect(server.banner).not.toContain(ADMIN_KEY);
    expect((await server.ask("{ viewer { key } }")).data.viewer.key).toBe("admin");
  });
});

describe("a server that is killed in the middle of a purification", () => {
  test("goes on with it at the next start, and everything else is there", async () => {
    const folder = temporaryFolder();
    const first = await start(folder);
    const input = { ...quickPurification("survivor"), innerSteps: 60 };
    const { data } = await first.ask(PURIFY, { input, key: "survivor" });
    const { id } = data.purify.job;
    await until(async () => (await eventsOf(first, id)).some(({ step = 0 }) => step >= 20), 50);
    await kill(first, "SIGKILL");

    const second = await start(folder);
    const events = await second.follow(
      "subscription ($id: ID!) { jobEvents(jobId: $id) { seq ... on StatusChanged { status } } }",
      { id },
    );
    const sequence = events.map(({ data: { jobEvents } }) => jobEvents.seq);
    expect(sequence).toEqual(sequence.map((_, index) => index + 1));
    const statuses = events.flatMap(({ data: { jobEvents } }) => jobEvents.status ?? []);
    expect(statuses.filter((status) => status === "QUEUED")).toHaveLength(2);
    expect(statuses.at(-1)).toBe("SUCCEEDED");
    const { data: after } = await second.ask(`{
      promptSet(name: "survivor") { aliases { name history { to } } versions { totalCount } }
    }`);
    expect(after.promptSet.versions.totalCount).toBe(1);
    expect(after.promptSet.aliases).toMatchObject([{ name: "live", history: [{}] }]);
    // The repeated request is known from before.
    const again = await second.ask(PURIFY, { input, key: "survivor" });
    expect(again.data.purify).toMatchObject({ replayed: true, job: { id, status: "SUCCEEDED" } });
    expect(await kill(second, "SIGTERM")).toBe(0);
  });
});
