import { AppError } from "../errors.ts";

const LONGEST_LABEL = 100;

/** A class's name without space around it. Fails with VALIDATION_FAILED, saying what is allowed. */
export function checkLabel(label: string): string {
  const name = label.trim();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
  if (name.length > 0 && name.length <= LONGEST_LABEL && !/[\u0000-\u001f\u007f]/.test(name)) return name;
  throw new AppError(
    "VALIDATION_FAILED",
    `A label has 1 to ${LONGEST_LABEL} characters, none of them control characters.`,
  );
}
