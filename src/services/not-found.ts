import { AppError } from "../errors.ts";
import { globalId, ID_KINDS, type IdKind } from "./global-id.ts";

/** What is called otherwise in words than in its id. */
const KINDS: Readonly<Record<string, IdKind>> = { "prompt version": "version", "prompt set": "promptset" };

/**
 * The same words for what does not exist and for what belongs to somebody else.
 *
 * @param id the local part of an id; `extensions.id` has it as `node` takes it.
 */
export function notFound(what: string, id: string): AppError {
  const local = id.slice(0, 120);
  const kind = KINDS[what] ?? ID_KINDS.find((name) => name === what);
  return new AppError("NOT_FOUND", `There is no ${what} "${local}".`, {
    id: kind ? globalId(kind, local) : local,
  });
}
