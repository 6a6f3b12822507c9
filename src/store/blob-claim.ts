import { randomUUID } from "node:crypto";
import type { Store } from "./store.ts";
import type { BlobOwner, SweptBlobs } from "./swept-blobs.ts";

const OWNER_KEY = "blobs/owner";

/** What a store of records is called in the store of its blobs. */
interface OwnerRecord {
  readonly id: string;
}

export interface Claim {
  readonly own: BlobOwner;
  /** Other stores of records, which need blobs that this one knows nothing of. */
  readonly others: readonly BlobOwner[];
}

/**
 * Says in the store of blobs that they belong to this store of records, and finds out who else has said so. Both say it
 * before they look, so of two that share the blobs by mistake each finds the other, the first one at its next look.
 */
export async function claimBlobs(
  store: Pick<Store, "get" | "commit">,
  blobs: Pick<SweptBlobs, "own" | "owners">,
): Promise<Claim> {
  const id = await ownId(store);
  await blobs.own(id);
  const owners = await blobs.owners();
  const own = owners.find((owner) => owner.id === id);
  if (!own) throw new Error("The store of blobs does not keep who owns it.");
  return { own, others: owners.filter((owner) => owner !== own) };
}

/** Made at the first call; of several servers' calls the first commit counts. */
async function ownId(store: Pick<Store, "get" | "commit">): Promise<string> {
  const known = await store.get<OwnerRecord>(OWNER_KEY);
  if (known) return known.value.id;
  const value: OwnerRecord = { id: randomUUID() };
  await store.commit([{ kind: "put", key: OWNER_KEY, value, expected: 0 }]);
  return ownId(store);
}
