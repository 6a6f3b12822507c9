import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "@jest/globals";
import { LmdbStore } from "../../src/store/lmdb.ts";
import { compiled } from "../support/compiled.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** Runs the committer until it has acknowledged so many commits, kills it, and gives the last number it printed. */
async function commitUntilKilled(folder: string, commits: number): Promise<number> {
  const child = spawn(
    process.execPath,
    [join(__dirname, "committer.mjs"), compiled("src/store/lmdb").href, folder],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const exited = once(child, "exit");
  let last = 0;
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    if (++seen === commits) child.kill("SIGKILL");
  }
  await exited;
  return last;
}

test("a writer killed at any moment loses no acknowledged commit and leaves no half of one", async () => {
  const folder = temporaryFolder();
  let before = 0;
  for (const commits of [1, 7, 60, 33, 150]) {
    const acknowledged = await commitUntilKilled(folder, commits);
    expect(acknowledged).toBeGreaterThanOrEqual(before + commits);
    const store = await LmdbStore.open(folder);
    const count = (await store.get<number>("count"))?.value ?? 0;
    // The last commit may have been durable before its number was printed.
    expect([acknowledged, acknowledged + 1]).toContain(count);
    expect((await store.read("counted", 0)).map((entry) => entry.value)).toEqual(
      Array.from({ length: count }, (_, index) => index + 1),
    );
    expect(await store.list("numbers/")).toHaveLength(count);
    await store.close();
    before = count;
  }
});
