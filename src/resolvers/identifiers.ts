import { AppError } from "../errors.ts";
import { globalId, type IdKind, localId } from "../services/global-id.ts";
import { notFound } from "../services/not-found.ts";

/** The local part of an id that must be of this kind; NOT_FOUND, naming the argument and the form, for any other. */
export function requireId(kind: IdKind, id: string, ...path: string[]): string {
  const local = localId(kind, id);
  if (local !== undefined) return local;
  const { code, message } = notFound(kind, id);
  throw new AppError(code, `${message} Such ids begin with "${globalId(kind, "")}".`, { path });
}

export { globalId, localId };
