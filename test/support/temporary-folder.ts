import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "@jest/globals";

const folders: string[] = [];

/**
 * An empty folder of the test's own, removed after the test file's last test. What a server that is just ending still
 * writes there is removed at the next try.
 */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "antidote-"));
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 20 });
});
