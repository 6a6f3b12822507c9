/** Reads the value of a command-line option; fails with a RangeError that names the option. */
export function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`${option} must be a whole number, not "${text}".`);
}
