import { randomBytes } from "node:crypto";

let lastInstant = 0;

/**
 * A new name that sorts after every name made before it in this process: the time in milliseconds (nine digits in
 * base 36, pushed on by one where two names fall together or the clock goes back), then 50 random bits.
 */
export function nextIdentifier(now: Date): string {
  lastInstant = Math.max(now.getTime(), lastInstant + 1);
  return lastInstant.toString(36).padStart(9, "0") + randomSuffix();
}

function randomSuffix(): string {
  const number = randomBytes(8).readBigUInt64BE() % 36n ** 10n;
  return number.toString(36).padStart(10, "0");
}
