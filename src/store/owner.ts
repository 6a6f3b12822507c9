import { randomUUID } from "node:crypto";
import { readFile, readlink, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../errors.ts";
import { writeDurably } from "./durable-file.ts";

/** A process, told apart from a later one with the same number by when it began (where the system says so). */
interface Owner {
  readonly pid: number;
  readonly began?: string;
  /** One for each life of a process; marks of older versions have none, and no place. */
  readonly id?: string;
  readonly host?: string;
  /** In which space the number counts: each container has its own, and in many of them the server has the same one. */
  readonly space?: string;
}

interface Mark {
  readonly owner: Owner;
  /** When the owner last said that it lives, by the file's own time. */
  readonly renewed: number;
}

export interface ClaimOptions {
  /** Told when it will take a while to find out whether the owner still lives. */
  readonly onWait?: (message: string) => void;
  readonly beatMilliseconds?: number;
  readonly staleMilliseconds?: number;
}

const BEAT_MILLISECONDS = 5_000;
/** An owner that cannot be seen from here and was silent for so long is dead. */
const STALE_MILLISECONDS = 20_000;
const LOOK_MILLISECONDS = 1_000;

const ID = randomUUID();

/** The folders of this process, and what stops saying so. */
const beats = new Map<string, () => Promise<void>>();

/**
 * Makes this process the owner of a folder, and says so every few seconds. Throws INVALID_CONFIGURATION while another
 * one that is alive owns it; of a dead one nothing needs to be cleaned up. Whether a process on this machine is alive
 * is seen at once; for one in another container the next sign of life is waited for. It guards against a second
 * server started by mistake, not against two that start at the very same moment.
 */
export async function claimFolder(folder: string, options: ClaimOptions = {}): Promise<void> {
  const path = ownerPath(folder);
  const self = await describeSelf();
  const wasElsewhere = await untilFree(path, self, options);
  await writeDurably(path, Buffer.from(JSON.stringify(self)));
  // Others may have waited for the same one to be dead; the last to write has the folder.
  if (wasElsewhere) await assertStillOwn(path, options);
  await keepSaying(folder, self, options);
}

/** Leaves the folder to whoever comes next. */
export async function releaseFolder(folder: string): Promise<void> {
  await beats.get(folder)?.();
  const mark = await readMark(ownerPath(folder));
  if (mark && !isOwn(mark.owner, await describeSelf())) return;
  await rm(ownerPath(folder), { force: true });
}

function ownerPath(folder: string): string {
  return join(folder, "owner.json");
}

async function describeSelf(): Promise<Owner> {
  const began = (await lifeOf(process.pid))?.began;
  const space = await readlink("/proc/self/ns/pid").catch(() => undefined);
  return { pid: process.pid, began, id: ID, host: hostname(), space };
}

/** Whether the owner's process would be seen from here if it lived. */
const isHere = ({ host, space }: Owner, self: Owner): boolean =>
  host === undefined || (host === self.host && space === self.space);

const isOwn = (owner: Owner, self: Owner): boolean =>
  owner.id === self.id || (isHere(owner, self) && owner.pid === self.pid);

/** Resolves, when nobody who is alive has the folder, to whether somebody elsewhere had it. */
async function untilFree(path: string, self: Owner, options: ClaimOptions): Promise<boolean> {
  const mark = await readMark(path);
  if (!mark) return false;
  if (!isHere(mark.owner, self)) return untilSilent(path, mark, options);
  if (!isOwn(mark.owner, self) && (await isRunning(mark.owner))) throw inUse(mark.owner);
  return false;
}

/** Waits until an owner that cannot be seen has been silent for long enough. */
async function untilSilent(path: string, mark: Mark, options: ClaimOptions): Promise<true> {
  const { onWait, staleMilliseconds = STALE_MILLISECONDS } = options;
  const silent = Math.max(0, Date.now() - mark.renewed);
  const end = Date.now() + staleMilliseconds - silent;
  if (end > Date.now()) onWait?.(waiting(mark.owner, silent, end - Date.now()));
  while (Date.now() < end) {
    await sleep(Math.min(LOOK_MILLISECONDS, end - Date.now()));
    const now = await readMark(path);
    if (!now) return true;
    if (now.owner.id !== mark.owner.id || now.renewed !== mark.renewed) throw inUse(now.owner);
  }
  return true;
}

async function assertStillOwn(path: string, { staleMilliseconds }: ClaimOptions): Promise<void> {
  await sleep(Math.min(LOOK_MILLISECONDS, staleMilliseconds ?? LOOK_MILLISECONDS));
  const mark = await readMark(path);
  if (mark && mark.owner.id !== ID) throw inUse(mark.owner);
}

async function keepSaying(folder: string, self: Owner, options: ClaimOptions): Promise<void> {
  await beats.get(folder)?.();
  let beating: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    // That it fails ends the process: two servers over one folder would run every job twice.
    beating = beat(ownerPath(folder), self);
  }, options.beatMilliseconds ?? BEAT_MILLISECONDS).unref();
  beats.set(folder, async () => {
    beats.delete(folder);
    clearInterval(timer);
    await beating;
  });
}

/** Says that the owner lives. Throws INVALID_CONFIGURATION when another has taken the folder meanwhile. */
async function beat(path: string, self: Owner): Promise<void> {
  const mark = await readMark(path);
  if (!mark) return;
  if (!isOwn(mark.owner, self)) throw taken(mark.owner);
  const now = new Date();
  // What cannot be said now is said the next time.
  await utimes(path, now, now).catch(() => {});
}

async function readMark(path: string): Promise<Mark | undefined> {
  try {
    const { mtimeMs } = await stat(path);
    return { owner: JSON.parse(await readFile(path, "utf8")) as Owner, renewed: mtimeMs };
  } catch {
    return undefined;
  }
}

const nameOf = ({ pid, host }: Owner): string => `process ${pid}${host === undefined ? "" : ` on ${host}`}`;

function inUse(owner: Owner): AppError {
  const message = `Another server (${nameOf(owner)}) uses this data folder. Stop it first, or give this one another DATA_DIR.`;
  return new AppError("INVALID_CONFIGURATION", message, { pid: owner.pid, host: owner.host });
}

function taken(owner: Owner): AppError {
  const message = `Another server (${nameOf(owner)}) has taken this data folder while this one gave no sign of life. This one ends.`;
  return new AppError("INVALID_CONFIGURATION", message, { pid: owner.pid, host: owner.host });
}

function waiting(owner: Owner, silent: number, left: number): string {
  const seconds = (milliseconds: number) => `${Math.ceil(milliseconds / 1000)} s`;
  return `A server elsewhere (${nameOf(owner)}) used this data folder ${seconds(silent)} ago. Waiting up to ${seconds(left)} to see whether it still does.`;
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
