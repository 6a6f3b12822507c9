import { AppError } from "../errors.ts";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** A name that can be part of a store key, a path and an id. Fails with VALIDATION_FAILED, saying what is allowed. */
export function checkName(what: string, name: string): string {
  if (NAME.test(name)) return name;
  throw new AppError(
    "VALIDATION_FAILED",
    `${what} "${name.slice(0, 80)}" is not a name: use 1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit.`,
    { name: name.slice(0, 80) },
  );
}

/** Whether a name can be looked up at all; what cannot is unknown, not an error. */
export const isName = (name: string): boolean => NAME.test(name);
