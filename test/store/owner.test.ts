import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { claimFolder, releaseFolder } from "../../src/store/owner.ts";
import { compiled } from "../support/compiled.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const CLAIM = `
  const { claimFolder } = await import(process.argv[1]);
  await claimFolder(process.argv[2]);
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
