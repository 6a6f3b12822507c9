import { concurrently } from "../engine/runtime/concurrently.ts";
import type { Depot } from "../store/depot.ts";
import { isDigest } from "../store/digests.ts";
import type { BlobStore } from "../store/store.ts";
import type { LabelledImage } from "./handlers/spec.ts";

/** From where a machine has the files that jobs work on. */
export interface Supplies {
  readonly blobs: Pick<BlobStore, "file">;
  readonly depot: Pick<Depot, "folder">;
}

/** The files that specs name; every kind of job names some of them. */
interface Named {
  readonly modelFolder?: string;
  readonly base?: string;
  readonly through?: { readonly matrix?: string };
  readonly shots?: readonly LabelledImage[];
  readonly images?: readonly LabelledImage[];
  readonly test?: readonly LabelledImage[];
  readonly attack?: NamedAttack;
  readonly others?: readonly NamedAttack[];
}

interface NamedAttack {
  readonly fitted?: string;
}

const FETCHED_AT_ONCE = 8;

/**
 * A job's spec as its process on this machine needs it: digests and references, which mean the same everywhere, become
 * paths. Files that are not here are fetched. Fails with NOT_FOUND for what nobody has.
 */
export async function supply(spec: unknown, { blobs, depot }: Supplies): Promise<unknown> {
  if (typeof spec !== "object" || spec === null) return spec;
  const { modelFolder, base, through, shots, images, test, attack, others } = spec as Named;
  // Jobs that an earlier version has planned name paths.
  const file = async (name: string) => (isDigest(name) ? blobs.file(name) : name);
  const files = (list: readonly LabelledImage[]) =>
    concurrently(list, FETCHED_AT_ONCE, async (image) => ({ ...image, blob: await file(image.blob) }));
  const attackFiles = async (named: NamedAttack) =>
    named.fitted === undefined ? named : { ...named, fitted: await file(named.fitted) };
  return {
    ...spec,
    ...(modelFolder !== undefined && { modelFolder: await depot.folder(modelFolder) }),
    ...(base !== undefined && { base: await file(base) }),
    ...(through?.matrix !== undefined && { through: { ...through, matrix: await file(through.matrix) } }),
    ...(shots && { shots: await files(shots) }),
    ...(images && { images: await files(images) }),
    ...(test && { test: await files(test) }),
    ...(attack && { attack: await attackFiles(attack) }),
    ...(others && { others: await Promise.all(others.map(attackFiles)) }),
  };
}
