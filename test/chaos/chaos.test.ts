import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { mutateBytes, mutateText } from "../../chaos/inputs/mutate.ts";
import { wrongAnswer } from "../../chaos/inputs/verdict.ts";
import { inconsistencies, judge } from "../../chaos/kills/judge.ts";
import { Ledger } from "../../chaos/kills/ledger.ts";
import { readOptions } from "../../chaos/options.ts";
import { writeReport } from "../../chaos/report.ts";
import { Antidote } from "../../client/index.ts";
import { randomStream } from "../../src/engine/random.ts";
import { ADMIN_KEY, startTestServer } from "../app/server.ts";
import { compiled } from "../support/compiled.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const main = fileURLToPath(compiled("chaos/main"));
const run = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });

test("a tiny campaign holds, ends with code 0, and writes what it saw", async () => {
  const path = join(temporaryFolder(), "reliability.md");
  const { status, stderr } = run("--only=inputs,memory", "--inputs=20", "--requests=8", `--write=${path}`);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  const report = await readFile(path, "utf8");
  expect(report).toContain("--inputs=20 --requests=8");
  expect(report).toMatch(/\| GraphQL documents \| 6 \| 0 \| 1 \|/);
  expect(report).toMatch(/\| images classified, memory watched \| 8 \| 0 \| 1 \|/);
});

test("a flag that makes no sense ends it with code 2 and says which", () => {
  const { status, stderr } = run("--kills=many");
  expect(status).toBe(2);
  expect(stderr).toContain('--kills takes a whole number from 1, not "many"');
});

test("the report of one mode leaves the other's, and tells violations", async () => {
  const path = join(temporaryFolder(), "reliability.md");
  const row = { what: "kills -9", count: 3, violations: ["The key k is lost."] };
  await writeFile(path, "");
  await writeReport(path, [row], readOptions(["--redis"])!, 1);
  await writeReport(path, [{ ...row, count: 4 }], readOptions([])!, 1);
  const report = await readFile(path, "utf8");
  expect(report.match(/^## .*$/gm)).toEqual(["## Embedded", "## With Redis"]);
  expect(report).toContain("| kills -9 | 3 | 1 |");
  expect(report).toContain("- kills -9: The key k is lost.");
});

test("the same seed breaks an input in the same way, and another in another", () => {
  const source = Buffer.from("{ viewer { tenant key } }".repeat(40));
  const bytes = (seed: number) => mutateBytes(source, randomStream(seed, "x")).toString("hex");
  const text = (seed: number) => mutateText(String(source), randomStream(seed, "x"));
  expect([bytes(1), text(1)]).toEqual([bytes(1), text(1)]);
  expect(new Set([1, 2, 3].map(bytes)).size).toBe(3);
  expect(new Set([1, 2, 3].map(text)).size).toBe(3);
});

describe("an answer", () => {
  const errors = (code: string) => JSON.stringify({ errors: [{ message: "m", extensions: { code } }] });

  test("with a code of its own is right, in a stream too", () => {
    expect(wrongAnswer(400, errors("BAD_USER_INPUT"))).toBeUndefined();
    expect(wrongAnswer(200, `event: next\ndata: ${errors("NOT_FOUND")}\n\n`)).toBeUndefined();
  });

  test("that is INTERNAL, or has no code, is wrong", () => {
    expect(wrongAnswer(200, errors("INTERNAL"))).toContain("INTERNAL");
    expect(wrongAnswer(200, `event: next\ndata: ${errors("INTERNAL")}\n\n`)).toContain("INTERNAL");
    expect(wrongAnswer(500, "oh")).toContain("status 500 without a code");
    expect(wrongAnswer(200, '{"errors":[{"message":"m"}]}')).toContain('"m"');
  });
});

describe("the judge of kills", () => {
  test("misses what was acknowledged and is not there, and nothing else", async () => {
    const { app } = await startTestServer();
    const client = new Antidote({ url: app.url, key: ADMIN_KEY });
    const ledger = new Ledger();
    const images = ["a".repeat(64)];
    ledger.datasets.push(
      { name: "chaos-0", images, acknowledged: { digest: "d" } },
      { name: "chaos-1", images },
    );
    ledger.keys.push({ name: "chaos-0", acknowledged: { secret: "nobody" } }, { name: "chaos-1" });
    ledger.moves.push({ name: "move-0", alias: "canary-0", to: "version_x", acknowledged: true });
    const unknown = { id: "job_none" };
    ledger.jobs.push({ name: "job-0", kind: "audit", seed: 1, finished: false, acknowledged: unknown });
    const rows = await judge({ client, url: app.url, blobsFolder: temporaryFolder() }, ledger, new Map());
    expect(rows.map(({ count, violations }) => [count, violations.length])).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
      [1, 1],
    ]);
  });

  test("sees a history that has a gap, is out of order, or ends elsewhere", () => {
    const move = (number: number, from: string | null, to: string) => ({
      from,
      to,
      reason: `move-${number}`,
    });
    const alias = (...history: ReturnType<typeof move>[]) => ({
      name: "canary-0",
      version: { id: "b" },
      history,
    });
    expect(inconsistencies(alias(move(2, "a", "b"), move(0, null, "a")))).toEqual([]);
    expect(inconsistencies(alias(move(2, "c", "b"), move(0, null, "a")))).toHaveLength(1);
    expect(inconsistencies(alias(move(0, "a", "b"), move(2, null, "a")))).toHaveLength(1);
    expect(inconsistencies(alias(move(2, "b", "a"), move(0, null, "b")))).toHaveLength(1);
  });
});
