import { createHash, randomBytes } from "node:crypto";
import { AppError } from "../errors.ts";
import type { Store, Write } from "../store/store.ts";
import { checkName, isName } from "./names.ts";
import { notFound } from "./not-found.ts";

export const SCOPES = ["classify", "datasets:write", "prompts:write", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

export interface TenantRecord {
  readonly name: string;
  readonly createdAt: string;
}

/** What is kept of a key: never the key. */
export interface KeyRecord {
  readonly id: string;
  readonly name: string;
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: string;
  readonly revokedAt?: string;
}

/** Who makes a request, as its key tells. */
export interface Caller {
  readonly tenant: string;
  readonly keyId: string;
  readonly keyName: string;
  readonly scopes: readonly Scope[];
}

const KEYS = "access/keys/";
const KEY_IDS = "access/key-ids/";
const TENANTS = "access/tenants/";
/** The id of the key that comes from the environment or from the first start. */
const FIRST_KEY = "first";
const BEARER = /^Bearer +([\x21-\x7e]{1,512})$/i;

/** Tenants and their API keys: 256 random bits, stored as SHA-256, so that whoever reads the store has no key. */
export class AccessService {
  constructor(private readonly store: Store) {}

  /** Fails with UNAUTHENTICATED, in the same words for an unknown, a revoked and a malformed key. */
  async authenticate(authorization: string): Promise<Caller> {
    const secret = BEARER.exec(authorization.trim())?.[1];
    const entry = secret === undefined ? undefined : await this.store.get<KeyRecord>(KEYS + hash(secret));
    if (!entry || entry.value.revokedAt !== undefined) {
      throw new AppError(
        "UNAUTHENTICATED",
        "The API key is not valid. Send a valid one as `Authorization: Bearer <key>`.",
      );
    }
    const { tenant, id, name, scopes } = entry.value;
    return { tenant, keyId: id, keyName: name, scopes };
  }

  async createTenant(name: string): Promise<TenantRecord> {
    const record = { name: checkName("The tenant's name", name), createdAt: new Date().toISOString() };
    if (await this.store.commit([{ kind: "put", key: TENANTS + name, value: record, expected: 0 }]))
      return record;
    throw new AppError("VALIDATION_FAILED", `There is already a tenant "${name}".`, { name });
  }

  async tenant(name: string): Promise<TenantRecord | undefined> {
    return isName(name) ? (await this.store.get<TenantRecord>(TENANTS + name))?.value : undefined;
  }

  async tenants(): Promise<TenantRecord[]> {
    return (await this.store.list<TenantRecord>(TENANTS)).map(({ value }) => value);
  }

  /** The secret is answered here and never again. */
  async createKey(
    tenant: string,
    name: string,
    scopes: readonly Scope[],
  ): Promise<{ record: KeyRecord; secret: string }> {
    if (!(await this.tenant(tenant))) throw notFound("tenant", tenant);
    const secret = newSecret();
    const record = newRecord(
      randomBytes(8).toString("hex"),
      checkName("The key's name", name),
      tenant,
      scopes,
    );
    await this.store.commit(writesOf(record, secret));
    return { record, secret };
  }

  async keys(): Promise<KeyRecord[]> {
    return (await this.store.list<KeyRecord>(KEYS)).map(({ value }) => value);
  }

  /** Revoking twice keeps the first time. */
  async revokeKey(id: string): Promise<KeyRecord> {
    const hashed = isName(id) ? (await this.store.get<string>(KEY_IDS + id))?.value : undefined;
    const entry = hashed === undefined ? undefined : await this.store.get<KeyRecord>(KEYS + hashed);
    if (!entry) throw notFound("key", id);
    if (entry.value.revokedAt !== undefined) return entry.value;
    const record = { ...entry.value, revokedAt: new Date().toISOString() };
    await this.store.commit([{ kind: "put", key: entry.key, value: record }]);
    return record;
  }

  /**
   * Sees to it that there is an admin key: the one of the environment (which replaces an earlier one of the
   * environment or of the first start), or a new one at the very first start, which is then answered to be shown
   * once.
   */
  async ensureAdminKey(tenant: string, configured: string | undefined): Promise<string | undefined> {
    for (;;) {
      const current = await this.store.get<string>(KEY_IDS + FIRST_KEY);
      const known = current?.value;
      if (known !== undefined && (configured === undefined || known === hash(configured))) return undefined;
      const secret = configured ?? newSecret();
      const record = newRecord(FIRST_KEY, "admin", tenant, SCOPES);
      const committed = await this.store.commit([
        ...(known === undefined ? [] : [{ kind: "delete", key: KEYS + known } as const]),
        { kind: "put", key: KEYS + hash(secret), value: record },
        { kind: "put", key: KEY_IDS + record.id, value: hash(secret), expected: current?.revision ?? 0 },
      ]);
      // Another server may be at its first start too: then there is one key, and one of them shows it.
      if (committed) return configured === undefined ? secret : undefined;
    }
  }
}

/** For whatever needs a key and was asked without one. */
export const unauthenticated = (): AppError =>
  new AppError("UNAUTHENTICATED", "This needs an API key. Send it as `Authorization: Bearer <key>`.");

const hash = (secret: string): string => createHash("sha256").update(secret).digest("hex");
const newSecret = (): string => `antidote_${randomBytes(32).toString("base64url")}`;

function newRecord(id: string, name: string, tenant: string, scopes: readonly Scope[]): KeyRecord {
  return { id, name, tenant, scopes: [...new Set(scopes)], createdAt: new Date().toISOString() };
}

function writesOf(record: KeyRecord, secret: string): Write[] {
  return [
    { kind: "put", key: KEYS + hash(secret), value: record },
    { kind: "put", key: KEY_IDS + record.id, value: hash(secret) },
  ];
}
