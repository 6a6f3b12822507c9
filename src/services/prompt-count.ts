import { AppError } from "../errors.ts";

/** Templates and labels make at most so many prompts: some minutes' work for a CPU, while other tenants' texts wait. */
const MOST_PROMPTS = 20_000;

/** Fails with VALIDATION_FAILED where a classifier of so many labels and templates has too many prompts to be served. */
export function assertPromptCount(labels: number, templates: number): void {
  const prompts = labels * templates;
  if (prompts <= MOST_PROMPTS) return;
  throw new AppError(
    "VALIDATION_FAILED",
    `${labels} labels in ${templates} templates are ${prompts} prompts; there can be ${MOST_PROMPTS}.`,
    { limit: MOST_PROMPTS },
  );
}
