// Tasks for the tests of the worker pool.
import { setTimeout as sleep } from "node:timers/promises";

export const double = ({ numbers }) => ({ numbers: numbers.map((number) => number * 2) });
export const lengthAfter = async ({ bytes, milliseconds }) => {
  await sleep(milliseconds);
  return bytes.byteLength;
};
export const leave = () => process.exit(3);
export const unsendable = () => () => {};
export const fail = async ({ expected }) => {
  const { AppError } = await import(new URL("../../../dist/src/errors.js", import.meta.url).href);
  throw expected ? new AppError("BAD_USER_INPUT", "Too dark.", { code: "TOO_DARK" }) : new RangeError("inside");
};
