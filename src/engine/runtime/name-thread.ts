import { writeFileSync } from "node:fs";

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
