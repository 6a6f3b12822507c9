/** What a global id begins with, for each kind of thing that `node` finds. */
export const ID_KINDS = [
  "model",
  "dataset",
  "promptset",
  "version",
  "job",
  "evaluation",
  "asset",
  "tenant",
  "key",
  "webhook",
  "schedule",
] as const;

export type IdKind = (typeof ID_KINDS)[number];

/** `kind_local`: readable in a log, opaque to clients. */
export const globalId = (kind: IdKind, local: string): string => `${kind}_${local}`;

/** The local part of an id of this kind; undefined for any other text, which is then an unknown id. */
export function localId(kind: IdKind, id: string): string | undefined {
  const prefix = `${kind}_`;
  return id.startsWith(prefix) && id.length > prefix.length ? id.slice(prefix.length) : undefined;
}

/** The kind of an id, if it is one. */
export function kindOf(id: string): IdKind | undefined {
  return ID_KINDS.find((kind) => localId(kind, id) !== undefined);
}
