import { setTimeout as sleep } from "node:timers/promises";

/** Resolves when it holds; for what is only true a little later than what tells of it. A test's time limit bounds it. */
export async function until(holds: () => boolean | Promise<boolean>, everyMilliseconds = 10): Promise<void> {
  while (!(await holds())) await sleep(everyMilliseconds);
}

/** Whether a process of this machine still is there. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
