/** What a thread does to itself where the system lets it: on Linux, and nothing elsewhere. */
import { readlinkSync, writeFileSync } from "node:fs";
import { getPriority, setPriority } from "node:os";
import { basename } from "node:path";

/**
 * Gives the calling thread, and those that it starts from now on, the name that `top -H` and
 * `/proc/PID/task/TID/comm` show, of which Linux keeps 15 bytes. Elsewhere it has none. (The `name` of a `Worker` does
 * not reach the system in every version of Node that this runs on.)
 */
export function nameThread(name: string): void {
  try {
    writeFileSync("/proc/thread-self/comm", name, { flag: "r+" });
  } catch {
    // A name is for whoever looks; work does without.
  }
}

const LOWEST = 19;

/**
 * Lets the calling thread, and those that it starts from now on, give way to the others of its process by so many
 * steps of nice, which Linux keeps for each thread apart.
 */
export function giveWay(steps: number): void {
  try {
    const thread = Number(basename(readlinkSync("/proc/thread-self")));
    setPriority(thread, Math.min(LOWEST, getPriority(thread) + steps));
  } catch {
    // Then all threads are alike.
  }
}
