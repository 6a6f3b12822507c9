import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../errors.ts";
import { writeDurably } from "./durable-file.ts";

/** A process, told apart from a later one with the same number by when it began (where the system says so). */
interface Owner {
  readonly pid: number;
  readonly began?: string;
}

/**
 * Makes this process the owner of a folder. Throws INVALID_CONFIGURATION while another one that is alive owns it; of
 * a dead one nothing needs to be cleaned up. It guards against a second server started by mistake, not against two
 * that start at the very same moment.
 */
export async function claimFolder(folder: string): Promise<void> {
  const path = ownerPath(folder);
  const owner = await readOwner(path);
  if (owner && owner.pid !== process.pid && (await isRunning(owner))) {
    throw new AppError(
      "INVALID_CONFIGURATION",
      `Another server (process ${owner.pid}) uses this data folder. Stop it first, or give this one another DATA_DIR.`,
      { pid: owner.pid },
    );
  }
  const self: Owner = { pid: process.pid, began: (await lifeOf(process.pid))?.began };
  await writeDurably(path, Buffer.from(JSON.stringify(self)));
}

/** Leaves the folder to whoever comes next. */
export async function releaseFolder(folder: string): Promise<void> {
  await rm(ownerPath(folder), { force: true });
}

function ownerPath(folder: string): string {
  return join(folder, "owner.json");
}

async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Owner;
  } catch {
    return undefined;
  }
}

async function isRunning({ pid, began }: Owner): Promise<boolean> {
  if (!exists(pid)) return false;
  const life = await lifeOf(pid);
  return life === undefined || (life.state !== "Z" && life.began === began);
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** State and beginning of a process from Linux's /proc; undefined on other systems. */
async function lifeOf(pid: number): Promise<{ state: string; began: string } | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses, which may hold anything.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0], began: fields[19] };
  } catch {
    return undefined;
  }
}
