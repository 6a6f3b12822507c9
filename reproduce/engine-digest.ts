import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../src/config.ts";

/** The parts of the engine that decide what a defence or an attack does. */
const PARTS = ["attacks", "cbpt", "defences", "training"];

/** 12 hexadecimal digits over the compiled code of those parts: results of another engine are told apart by it. */
export async function engineDigest(): Promise<string> {
  const hash = createHash("sha256");
  for (const part of PARTS) {
    const folder = join(packageRoot, "dist", "src", "engine", part);
    const files = await readdir(folder, { recursive: true }).catch(() => []);
    for (const file of files.filter((name) => name.endsWith(".js")).sort())
      hash.update(file).update(await readFile(join(folder, file)));
  }
  return hash.digest("hex").slice(0, 12);
}
