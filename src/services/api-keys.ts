import { randomBytes } from "node:crypto";
import { AppError } from "../errors.ts";
import type { Entry, Store, Write } from "../store/store.ts";
import {
  ACCESS_CHANGES,
  commitAccess,
  hashSecret,
  isPast,
  KEY_IDS,
  KEYS,
  type KeyRecord,
  SCOPES,
  type Scope,
  TENANTS,
} from "./access-records.ts";
import { KeyUse } from "./key-use.ts";
import { checkName, isName } from "./names.ts";
import { notFound } from "./not-found.ts";

export interface NewKey {
  readonly tenant: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** ISO time in the future; without it the key has no end. */
  readonly expiresAt?: string;
}

export interface IssuedKey {
  readonly record: KeyRecord;
  /** Answered here and never again. */
  readonly secret: string;
}

/** A secret that a rotation has replaced; kept for good, so that it can never come back as another key. */
interface RetiredSecret {
  readonly keyId: string;
  readonly until: string;
}

const RETIRED = "access/retired/";
/** The id of the key that comes from the environment or from the first start. */
const FIRST_KEY = "first";
const MOST_TRIES = 8;
const LONGEST_GRACE_SECONDS = 30 * 24 * 3600;

/** API keys: 256 random bits, stored as SHA-256, so that whoever reads the store has no key. */
export class ApiKeys {
  readonly use: KeyUse;

  constructor(
    private readonly store: Store,
    private readonly now: () => Date,
  ) {
    this.use = new KeyUse(store, now);
  }

  /** Of all tenants, revoked and expired ones among them. */
  async list(): Promise<KeyRecord[]> {
    return (await this.store.list<KeyRecord>(KEYS)).map(({ value }) => value);
  }

  /**
   * The key that a secret's hash opens, and until when it does; undefined for one that opens nothing (any more). A
   * secret that was rotated away opens its key until the end of its grace.
   */
  async opened(hash: string): Promise<{ key: KeyRecord; until?: string } | undefined> {
    const current = await this.store.get<KeyRecord>(KEYS + hash);
    const retired = current ? undefined : (await this.store.get<RetiredSecret>(RETIRED + hash))?.value;
    const key = current?.value ?? (retired && (await this.entry(retired.keyId))?.value);
    if (!key || key.revokedAt !== undefined) return undefined;
    const [until] = [key.expiresAt, retired?.until].filter((time) => time !== undefined).sort();
    return isPast(until, this.now()) ? undefined : { key, until };
  }

  /** Fails with NOT_FOUND for an unknown tenant, and with VALIDATION_FAILED for an end that is not in the future. */
  async create({ tenant, name, scopes, expiresAt }: NewKey): Promise<IssuedKey> {
    if (!isName(tenant) || !(await this.store.get(TENANTS + tenant))) throw notFound("tenant", tenant);
    if (isPast(expiresAt, this.now()))
      throw new AppError("VALIDATION_FAILED", "The key's end is in the past.");
    const secret = newSecret();
    const id = randomBytes(8).toString("hex");
    const record = this.record({ id, name: checkName("The key's name", name), tenant, scopes, expiresAt });
    await this.store.commit(writesOf(record, secret));
    return { record, secret };
  }

  /**
   * Gives the key a new secret; the old one goes on working for so many seconds (0 to 30 days), for whoever has not
   * heard of it yet, and earlier ones no longer than that. NOT_FOUND for an unknown key, VALIDATION_FAILED for one that
   * is revoked or expired.
   */
  async rotate(id: string, graceSeconds: number): Promise<IssuedKey> {
    if (!Number.isInteger(graceSeconds) || graceSeconds < 0 || graceSeconds > LONGEST_GRACE_SECONDS)
      throw new AppError("VALIDATION_FAILED", `The grace is 0 to ${LONGEST_GRACE_SECONDS} seconds.`);
    const secret = newSecret();
    const record = await this.change(id, async (entry, now) => {
      const { revokedAt, expiresAt } = entry.value;
      if (revokedAt !== undefined || isPast(expiresAt, now))
        throw new AppError("VALIDATION_FAILED", `Key ${id} is revoked or expired. Make a new one.`);
      const next: KeyRecord = { ...entry.value, rotatedAt: now.toISOString() };
      const until = new Date(now.getTime() + 1000 * graceSeconds).toISOString();
      const retired: RetiredSecret = { keyId: id, until };
      const writes: Write[] = [
        { kind: "delete", key: entry.key, expected: entry.revision },
        { kind: "put", key: RETIRED + entry.key.slice(KEYS.length), value: retired },
        ...(await this.shortened(retired)),
        ...writesOf(next, secret),
      ];
      return { next, writes };
    });
    return { record, secret };
  }

  /** Refused from now on, by every server; subscriptions that it opened end. Revoking twice keeps the first time. */
  async revoke(id: string): Promise<KeyRecord> {
    return this.change(id, async (entry, now) => {
      if (entry.value.revokedAt !== undefined) return { next: entry.value };
      const next: KeyRecord = { ...entry.value, revokedAt: now.toISOString() };
      return { next, writes: [{ kind: "put", key: entry.key, value: next, expected: entry.revision }] };
    });
  }

  /**
   * Sees to it that there is an admin key: the one of the environment (which replaces an earlier one of the
   * environment or of the first start, but is not brought back once it was revoked or rotated away), or a new one at
   * the very first start, which is then answered to be shown once.
   */
  async ensureAdminKey(tenant: string, configured: string | undefined): Promise<string | undefined> {
    for (;;) {
      const current = await this.store.get<string>(KEY_IDS + FIRST_KEY);
      const known = current?.value;
      if (known !== undefined && (configured === undefined || (await this.isSpent(configured, known))))
        return undefined;
      const secret = configured ?? newSecret();
      const record = this.record({ id: FIRST_KEY, name: "admin", tenant, scopes: SCOPES });
      const committed = await this.store.commit([
        ...(known === undefined ? [] : [{ kind: "delete", key: KEYS + known } as const]),
        { kind: "put", key: KEYS + hashSecret(secret), value: record },
        {
          kind: "put",
          key: KEY_IDS + FIRST_KEY,
          value: hashSecret(secret),
          expected: current?.revision ?? 0,
        },
        { kind: "append", stream: ACCESS_CHANGES, value: record.createdAt },
      ]);
      // Another server may be at its first start too: then there is one key, and one of them shows it.
      if (committed) return configured === undefined ? secret : undefined;
    }
  }

  /** Whether a configured key is in force already, or was taken out of force for good. */
  private async isSpent(configured: string, known: string): Promise<boolean> {
    const hash = hashSecret(configured);
    return hash === known || (await this.store.get(RETIRED + hash)) !== undefined;
  }

  /** What ends the graces of a key's earlier secrets that would outlive that of its newest retired one. */
  private async shortened({ keyId, until }: RetiredSecret): Promise<Write[]> {
    const retired = await this.store.list<RetiredSecret>(RETIRED);
    return retired
      .filter(({ value }) => value.keyId === keyId && value.until > until)
      .map(({ key, value, revision }) => ({
        kind: "put",
        key,
        value: { ...value, until },
        expected: revision,
      }));
  }

  private async change(
    id: string,
    plan: (entry: Entry<KeyRecord>, now: Date) => Promise<{ next: KeyRecord; writes?: readonly Write[] }>,
  ): Promise<KeyRecord> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const entry = await this.entry(id);
      if (!entry) throw notFound("key", id);
      const { next, writes } = await plan(entry, this.now());
      if (!writes) return next;
      const ends = (key: KeyRecord) => key.id === id && next.revokedAt !== undefined;
      if (await commitAccess(this.store, this.now(), { writes, ends })) return next;
    }
    throw new AppError("OVERLOADED", `Key ${id} kept changing. Try again.`, { retryAfterMs: 1000 });
  }

  private async entry(id: string): Promise<Entry<KeyRecord> | undefined> {
    const hash = isName(id) ? (await this.store.get<string>(KEY_IDS + id))?.value : undefined;
    return hash === undefined ? undefined : this.store.get<KeyRecord>(KEYS + hash);
  }

  private record(facts: Omit<KeyRecord, "createdAt">): KeyRecord {
    return { ...facts, scopes: [...new Set(facts.scopes)], createdAt: this.now().toISOString() };
  }
}

const newSecret = (): string => `antidote_${randomBytes(32).toString("base64url")}`;

function writesOf(record: KeyRecord, secret: string): Write[] {
  return [
    { kind: "put", key: KEYS + hashSecret(secret), value: record },
    { kind: "put", key: KEY_IDS + record.id, value: hashSecret(secret) },
  ];
}
