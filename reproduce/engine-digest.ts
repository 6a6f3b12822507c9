import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../src/config.ts";
import type { Entry } from "./archive.ts";
import type { CellKind } from "./cell.ts";

/** The parts of the engine that decide what a cell makes: measurements rest on all of them, rendering on none. */
const PARTS: Readonly<Partial<Record<CellKind, readonly string[]>>> = {
  render: [],
  fit: ["attacks", "training"],
  implant: ["attacks", "training"],
  defend: ["cbpt", "defences", "training"],
  encode: ["attacks"],
  look: ["attacks", "cbpt", "second-look"],
  tripwire: ["attacks", "cbpt", "evaluation"],
};
const ALL_PARTS = ["attacks", "cbpt", "defences", "evaluation", "second-look", "training"];

/**
 * 12 hexadecimal digits over the compiled code that a cell's result rests on, what performs it and parts of the engine:
 * results of another engine are told apart by it. What an attacker makes does not change with the defence, nor prompts
 * with how they are used.
 */
export async function engineDigest(kind: CellKind): Promise<string> {
  const compiled = join(packageRoot, "dist");
  const hash = createHash("sha256").update(
    await readFile(join(compiled, "reproduce", "perform", `${kind}.js`)),
  );
  for (const part of PARTS[kind] ?? ALL_PARTS) {
    const folder = join(compiled, "src", "engine", part);
    const files = await readdir(folder, { recursive: true }).catch(() => []);
    for (const file of files.filter((name) => name.endsWith(".js")).sort())
      hash.update(file).update(await readFile(join(folder, file)));
  }
  return hash.digest("hex").slice(0, 12);
}

/** Whether a result is from another version of the engine than the present one. */
export const isOutdated = async ({ kind, engine }: Pick<Entry, "kind" | "engine">): Promise<boolean> =>
  engine !== (await engineDigest(kind));
