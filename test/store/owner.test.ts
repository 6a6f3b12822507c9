import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { claimFolder, releaseFolder } from "../../src/store/owner.ts";
import { compiled } from "../support/compiled.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const CLAIM = `
  const { claimFolder } = await import(process.argv[1]);
  await claimFolder(process.argv[2], JSON.parse(process.argv[3] ?? "{}"));
  console.log("claimed");
  setInterval(() => {}, 1000);
`;

test("a folder belongs to one living process; a killed one leaves it to the next", async () => {
  const folder = temporaryFolder();
  const script = ["--input-type=module", "-e", CLAIM, compiled("src/store/owner").href, folder];
  const other = spawn(process.execPath, script, { stdio: ["ignore", "pipe", "inherit"] });
  await once(other.stdout, "data");
  await expect(claimFolder(folder)).rejects.toMatchObject({
    code: "INVALID_CONFIGURATION",
    details: { pid: other.pid },
  });
  other.kill("SIGKILL");
  await once(other, "exit");
  await claimFolder(folder);
  await claimFolder(folder);
});

test("a process that leaves a folder makes room at once", async () => {
  const folder = temporaryFolder();
  await claimFolder(folder);
  await releaseFolder(folder);
  expect(readdirSync(folder)).toEqual([]);
});

test.each([
  ["of a process that began at another time", JSON.stringify({ pid: process.ppid, began: "1" })],
  ["that is damaged", "{"],
])("a mark %s does not hold", async (_, mark) => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "owner.json"), mark);
  await claimFolder(folder);
});

describe("a server in another container, whose process cannot be seen from here", () => {
  const quick = { beatMilliseconds: 50, staleMilliseconds: 400 };
  /** Its number is that of this very process, as it is where all are the first of their container. */
  const elsewhere = (id = "another") =>
    JSON.stringify({ pid: process.pid, began: "1", id, host: "elsewhere" });
  const ownerOf = (folder: string) => JSON.parse(readFileSync(join(folder, "owner.json"), "utf8"));

  function markedFolder(): { folder: string; path: string } {
    const folder = temporaryFolder();
    const path = join(folder, "owner.json");
    writeFileSync(path, elsewhere());
    return { folder, path };
  }

  test("has its folder for as long as it says that it lives", async () => {
    const { folder, path } = markedFolder();
    const beating = setInterval(() => utimesSync(path, new Date(), new Date()), quick.beatMilliseconds);
    const claiming = claimFolder(folder, quick);
    await expect(claiming).rejects.toMatchObject({
      code: "INVALID_CONFIGURATION",
      details: { host: "elsewhere" },
    });
    clearInterval(beating);
    expect(ownerOf(folder)).toMatchObject({ id: "another" });
  });

  test("is waited for until it has been silent for long enough, which is told", async () => {
    const { folder } = markedFolder();
    const told: string[] = [];
    const begin = Date.now();
    await claimFolder(folder, { ...quick, onWait: (message) => told.push(message) });
    expect(Date.now() - begin).toBeGreaterThanOrEqual(quick.staleMilliseconds - 50);
    expect(told).toEqual([expect.stringContaining("on elsewhere")]);
    expect(ownerOf(folder)).toMatchObject({ pid: process.pid, host: hostname() });
    await releaseFolder(folder);
  });

  test("that has been silent for long, or leaves, is not waited for", async () => {
    const told: string[] = [];
    const silent = markedFolder();
    utimesSync(silent.path, new Date(1000), new Date(1000));
    await claimFolder(silent.folder, { onWait: (message) => told.push(message) });
    await releaseFolder(silent.folder);
    expect(told).toEqual([]);
    const leaving = markedFolder();
    setTimeout(() => rmSync(leaving.path), 100);
    await claimFolder(leaving.folder);
    await releaseFolder(leaving.folder);
  });

  test("two that have waited for the same one do not both get its folder", async () => {
    const { folder, path } = markedFolder();
    utimesSync(path, new Date(1000), new Date(1000));
    const claiming = claimFolder(folder, quick);
    await until(() => ownerOf(folder).host === hostname());
    writeFileSync(path, elsewhere("a third"));
    await expect(claiming).rejects.toMatchObject({ code: "INVALID_CONFIGURATION" });
  });

  test("sees that this one lives, which ends when its folder was taken all the same", async () => {
    const folder = temporaryFolder();
    const script = ["--input-type=module", "-e", CLAIM, compiled("src/store/owner").href, folder];
    const child = spawn(process.execPath, [...script, JSON.stringify(quick)], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    await once(child.stdout, "data");
    const path = join(folder, "owner.json");
    const before = statSync(path).mtimeMs;
    await until(() => statSync(path).mtimeMs > before);
    let output = "";
    child.stderr.on("data", (chunk) => {
      output += chunk;
    });
    writeFileSync(path, elsewhere());
    const [code] = await once(child, "exit");
    expect(code).toBe(1);
    expect(output).toContain("has taken this data folder");
    expect(ownerOf(folder)).toMatchObject({ id: "another" });
  });
});
