import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../src/config.ts";
import type { CellKind } from "./cell.ts";

/** The parts of the engine that decide what an attack does. */
const ATTACK = ["attacks", "training"];
/** Those that decide what a defence does. */
const DEFENCE = ["cbpt", "defences", "second-look", "training"];

/**
 * 12 hexadecimal digits over the compiled code of the parts that a cell's result rests on: results of another engine
 * are told apart by it. What an attacker makes does not change with the defence.
 */
export async function engineDigest(kind: CellKind): Promise<string> {
  const hash = createHash("sha256");
  for (const part of kind === "fit" || kind === "implant" ? ATTACK : DEFENCE) {
    const folder = join(packageRoot, "dist", "src", "engine", part);
    const files = await readdir(folder, { recursive: true }).catch(() => []);
    for (const file of files.filter((name) => name.endsWith(".js")).sort())
      hash.update(file).update(await readFile(join(folder, file)));
  }
  return hash.digest("hex").slice(0, 12);
}
