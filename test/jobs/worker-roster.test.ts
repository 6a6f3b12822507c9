import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Device } from "../../src/engine/runtime/device.ts";
import { devicesOfWorkers, RosterEntry } from "../../src/jobs/worker-roster.ts";
import { LmdbStore } from "../../src/store/lmdb.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { Log } from "./server.ts";

const NOON = new Date("2026-11-27T12:00:00Z");
const after = (seconds: number) => new Date(NOON.getTime() + 1000 * seconds);

let store: LmdbStore;
beforeEach(async () => {
  store = await LmdbStore.open(temporaryFolder());
});
afterEach(() => store.close());

async function enter(devices: readonly Device[], at = NOON): Promise<RosterEntry> {
  const entry = new RosterEntry({ store, devices, logger: new Log(), now: () => at });
  await entry.start();
  return entry;
}
const devicesAt = async (now: Date) => [...(await devicesOfWorkers(store, now))].sort();

test("what any living worker has can be had, until it leaves", async () => {
  expect(await devicesAt(NOON)).toEqual([]);
  const plain = await enter(["cpu"]);
  const other = await enter(["cpu", "webgpu"]);
  expect(await devicesAt(NOON)).toEqual(["cpu", "webgpu"]);
  other.stop();
  await until(async () => (await devicesAt(NOON)).length === 1);
  plain.stop();
  await until(async () => (await devicesAt(NOON)).length === 0);
});

test("a worker that fell silent has nothing, and is forgotten when another comes", async () => {
  const killed = await enter(["cpu", "cuda"]);
  expect(await devicesAt(after(59))).toEqual(["cpu", "cuda"]);
  expect(await devicesAt(after(61))).toEqual([]);
  const next = await enter(["cpu"], after(7200));
  expect(await devicesAt(after(7200))).toEqual(["cpu"]);
  expect(await store.list("workers/")).toHaveLength(1);
  for (const entry of [killed, next]) entry.stop();
});
