import { AppError, type ErrorDetails } from "../errors.ts";

/**
 * What `work` makes of one field of a mutation's `input`. Where it fails as expected, the error's `details.path` says
 * that this field is meant, if nothing closer is known.
 */
export const fromField = <Value>(field: string, work: () => Value | Promise<Value>): Promise<Value> =>
  located(() => field, work);

/** The same for hyper-parameters, each a field of its own: the first that is wrong is meant. */
export const fromParameters = <Value>(work: () => Value | Promise<Value>): Promise<Value> =>
  located(({ names }) => (Array.isArray(names) ? names[0] : undefined), work);

async function located<Value>(
  fieldOf: (details: ErrorDetails) => string | undefined,
  work: () => Value | Promise<Value>,
): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AppError) || error.details.path !== undefined) throw error;
    const { code, message, details, cause } = error;
    const path = ["input", fieldOf(details) ?? []].flat();
    throw new AppError(code, message, { ...details, path }, cause === undefined ? undefined : { cause });
  }
}
