import { setTimeout as delay } from "node:timers/promises";
import { Antidote } from "../../client/index.ts";
import { type Random, randomStream } from "../../src/engine/random.ts";
import { type Fleet, type Server, startFleet } from "../fleet.ts";
import type { Part, Row } from "../part.ts";
import { makeOld } from "./ageing.ts";
import { jobState, outcomeOf, SEEDS, startJob } from "./jobs.ts";
import { type Expected, inputOf, judge } from "./judge.ts";
import { type JobEntry, Ledger } from "./ledger.ts";
import { Writer } from "./writer.ts";

/** A client writes while processes are killed; in the end, nothing that was acknowledged may be gone. */
export const kills: Part = async (options, report) => {
  const fleet = await startFleet(options.redis);
  try {
    const { expected, versions } = await undisturbed(fleet.servers[0]);
    const ledger = new Ledger();
    const writer = new Writer(fleet, ledger, versions, randomStream(options.seed, "writer"));
    const stop = new AbortController();
    const writing = Promise.all([writer.write(stop.signal), makeOld(fleet.blobsFolder, stop.signal)]);
    const victims = new Map<string, number>();
    const began = Date.now();
    try {
      for (let done = 0; done < options.kills; done++) {
        const share = (Date.now() - began) / 1000 / options.seconds;
        if (share >= 1) break;
        report(Math.max(share, done / options.kills));
        const name = await killOne(fleet, randomStream(options.seed, "kill", done));
        victims.set(name, (victims.get(name) ?? 0) + 1);
      }
    } finally {
      stop.abort();
      await writing;
    }
    for (const { url } of fleet.servers) await untilReady(url);
    // Nobody is killed any more, and one who only wants to know what is there asks again, as every client does.
    const [{ url }] = fleet.servers;
    const { key, blobsFolder } = fleet;
    const rows = await judge({ url, client: new Antidote({ url, key }), blobsFolder }, ledger, expected);
    const count = [...victims.values()].reduce((sum, times) => sum + times, 0);
    const note = [...victims].map(([name, times]) => `${name} ${times}`).join(", ");
    const violations = [...fleet.crashes(), ...writer.violations];
    return [{ what: "kills -9", count, violations, note }, ...rows] satisfies Row[];
  } finally {
    await fleet.stop();
  }
};

/** Waits, kills, waits, and starts it again. Resolves to the victim's name once it is ready. */
async function killOne(fleet: Fleet, random: Random): Promise<string> {
  await delay(200 + random.below(2500));
  const aimsAtJob = random.below(3) === 0;
  for (const host of aimsAtJob ? fleet.hosts : []) if (await host.killJob()) return "a job's process";
  const victim = fleet.all[random.below(fleet.all.length)];
  await victim.kill();
  await delay(random.below(500));
  await victim.start();
  return victim.name;
}

async function untilReady(url: string): Promise<void> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(100))
    if (
      await fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return;
  throw new Error(`${url} did not become ready again.`);
}

/** One job of each input, with nobody killed. */
async function undisturbed({ client }: Server): Promise<{ expected: Expected; versions: string[] }> {
  const expected = new Map<string, string>();
  const versions: string[] = [];
  for (const kind of ["audit", "purification"] as const)
    for (const seed of SEEDS) {
      const entry: JobEntry = { name: `undisturbed-${kind}-${seed}`, kind, seed, finished: false };
      const { id } = await startJob(client, entry);
      await (await client.job(id)).result();
      const state = await jobState(client, id);
      expected.set(inputOf(entry), outcomeOf(state));
      if (state.version) versions.push(state.version.id);
    }
  return { expected, versions };
}
