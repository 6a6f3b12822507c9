import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../src/config.ts";
import type { Entry } from "./archive.ts";
import type { CellKind } from "./cell.ts";

/** The parts of the engine that decide what a cell makes: measurements rest on all of them. */
const PARTS: Readonly<Partial<Record<CellKind, readonly string[]>>> = {
  fit: ["attacks", "training"],
  implant: ["attacks", "training"],
  defend: ["cbpt", "defences", "training"],
  encode: ["attacks"],
  look: ["attacks", "cbpt", "second-look"],
};
const ALL_PARTS = ["attacks", "cbpt", "defences", "second-look", "training"];

/**
 * 12 hexadecimal digits over the compiled code of the parts that a cell's result rests on: results of another engine
 * are told apart by it. What an attacker makes does not change with the defence, nor prompts with how they are used.
 */
export async function engineDigest(kind: CellKind): Promise<string> {
  const hash = createHash("sha256");
  for (const part of PARTS[kind] ?? ALL_PARTS) {
    const folder = join(packageRoot, "dist", "src", "engine", part);
    const files = await readdir(folder, { recursive: true }).catch(() => []);
    for (const file of files.filter((name) => name.endsWith(".js")).sort())
      hash.update(file).update(await readFile(join(folder, file)));
  }
  return hash.digest("hex").slice(0, 12);
}

/** Whether a result is from another version of the engine than the present one: of measurements, what they are made of tells. */
export const isOutdated = async ({ kind, engine }: Pick<Entry, "kind" | "engine">): Promise<boolean> =>
  kind in PARTS && engine !== (await engineDigest(kind));
