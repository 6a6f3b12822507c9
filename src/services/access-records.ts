import { createHash } from "node:crypto";
import { AppError } from "../errors.ts";
import type { Store, Write } from "../store/store.ts";

export const SCOPES = ["classify", "datasets:write", "prompts:write", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** As stored under `access/tenants/<name>`. */
export interface TenantRecord {
  readonly name: string;
  readonly createdAt: string;
  /** Since then its keys are refused. */
  readonly suspendedAt?: string;
  readonly suspendedFor?: string;
}

/** What is kept of a key, under `access/keys/<SHA-256 of the secret>`: never the secret. */
export interface KeyRecord {
  readonly id: string;
  readonly name: string;
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: string;
  /** From then on it is refused. */
  readonly expiresAt?: string;
  /** When it was last given a new secret. */
  readonly rotatedAt?: string;
  readonly revokedAt?: string;
}

export const TENANTS = "access/tenants/";
export const KEYS = "access/keys/";
/** The hash of each key's current secret, by the key's id. */
export const KEY_IDS = "access/key-ids/";
/** Every change of access is appended, so that each server hears of it at once. */
export const ACCESS_CHANGES = "access/changes";
/** Rewritten by every change of access: two at a time cannot both count on the key that the other takes away. */
const GUARD = "access/guard";

export const hashSecret = (secret: string): string => createHash("sha256").update(secret).digest("hex");

/** In the same words for every reason, so that nobody learns from them whether a key exists. */
export const invalidKey = (): AppError =>
  new AppError(
    "UNAUTHENTICATED",
    "The API key is not valid. Send a valid one as `Authorization: Bearer <key>`.",
  );

export const suspended = ({ name, suspendedFor }: TenantRecord): AppError =>
  new AppError(
    "FORBIDDEN",
    `The tenant "${name}" is suspended${suspendedFor ? `: ${suspendedFor}` : ""}. Ask the operator of this server.`,
    { tenant: name },
  );

interface AccessChange {
  readonly writes: readonly Write[];
  /** Whether the change takes a key's access away. */
  readonly ends: (key: KeyRecord) => boolean;
}

/**
 * Commits a change of who has access, and tells every server. False, with nothing written, when something that it
 * read has changed meanwhile. Fails with VALIDATION_FAILED when no admin key without an end would be left.
 */
export async function commitAccess(
  store: Store,
  now: Date,
  { writes, ends }: AccessChange,
): Promise<boolean> {
  const guard = await store.get(GUARD);
  const administrators = await workingAdminKeys(store, now);
  const remaining = administrators.filter((key) => !ends(key));
  if (remaining.length < administrators.length && !remaining.some(({ expiresAt }) => expiresAt === undefined))
    throw new AppError(
      "VALIDATION_FAILED",
      "This would leave no admin key without an end. Make another one first.",
    );
  return store.commit([
    ...writes,
    { kind: "put", key: GUARD, value: now.toISOString(), expected: guard?.revision ?? 0 },
    { kind: "append", stream: ACCESS_CHANGES, value: now.toISOString() },
  ]);
}

async function workingAdminKeys(store: Store, now: Date): Promise<KeyRecord[]> {
  const tenants = (await store.list<TenantRecord>(TENANTS)).map(({ value }) => value);
  const closed = new Set(
    tenants.filter(({ suspendedAt }) => suspendedAt !== undefined).map(({ name }) => name),
  );
  return (await store.list<KeyRecord>(KEYS))
    .map(({ value }) => value)
    .filter(({ scopes, tenant }) => scopes.includes("admin") && !closed.has(tenant))
    .filter(({ revokedAt, expiresAt }) => revokedAt === undefined && !isPast(expiresAt, now));
}

/** False for a time that is not set. */
export const isPast = (time: string | undefined, now: Date): boolean =>
  time !== undefined && Date.parse(time) <= now.getTime();
