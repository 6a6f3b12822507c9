import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { packageRoot } from "../src/config.ts";
import type { Entry } from "./archive.ts";
import type { CellKind } from "./cell.ts";

const engine = (...parts: string[]): string[] => parts.map((part) => join("src", "engine", part));
const IMAGES = join("reproduce", "perform", "test-images.js");

/** The files and folders that decide what a cell makes: measurements rest on all of the engine, rendering on none. */
const PARTS: Readonly<Partial<Record<CellKind, readonly string[]>>> = {
  render: [join("zoo", "scenes")],
  fit: engine("attacks", "training"),
  implant: engine("attacks", "training"),
  defend: engine("cbpt", "defences", "evaluation", "training"),
  encode: [...engine("attacks", "evaluation"), IMAGES],
  look: [...engine("attacks", "cbpt", "evaluation", "second-look"), IMAGES],
  tripwire: engine("attacks", "cbpt", "evaluation"),
};
const ALL_PARTS = engine("attacks", "cbpt", "defences", "evaluation", "second-look", "training");

/**
 * 12 hexadecimal digits over the compiled code that a cell's result rests on, what performs it and parts of the engine:
 * results of another engine are told apart by it. What an attacker makes does not change with the defence, nor prompts
 * with how they are used; that networks are computed as before is what tests are for.
 */
export async function engineDigest(kind: CellKind): Promise<string> {
  const compiled = join(packageRoot, "dist");
  const hash = createHash("sha256").update(
    await readFile(join(compiled, "reproduce", "perform", `${kind}.js`)),
  );
  for (const part of PARTS[kind] ?? ALL_PARTS)
    for (const file of await filesOf(join(compiled, part)))
      hash.update(relative(compiled, file)).update(await readFile(file));
  return hash.digest("hex").slice(0, 12);
}

/** Compiled code at a path: itself, or what is in the folder, in order. */
async function filesOf(path: string): Promise<string[]> {
  if (path.endsWith(".js")) return [path];
  const files = await readdir(path, { recursive: true }).catch(() => []);
  return files
    .filter((name) => name.endsWith(".js"))
    .sort()
    .map((name) => join(path, name));
}

/** Whether a result is from another version of the engine than the present one. */
export const isOutdated = async ({ kind, engine }: Pick<Entry, "kind" | "engine">): Promise<boolean> =>
  engine !== (await engineDigest(kind));
