import { AppError } from "../errors.ts";
import type { Store } from "../store/store.ts";
import {
  ACCESS_CHANGES,
  commitAccess,
  hashSecret,
  invalidKey,
  type Scope,
  suspended,
  TENANTS,
  type TenantRecord,
} from "./access-records.ts";
import { ApiKeys } from "./api-keys.ts";
import { checkName, isName } from "./names.ts";
import { notFound } from "./not-found.ts";

/** Who makes a request, as its key tells. */
export interface Caller {
  readonly tenant: string;
  readonly keyId: string;
  readonly keyName: string;
  readonly scopes: readonly Scope[];
  /** The hash of the secret that was shown. */
  readonly credential: string;
  /** ISO time at which that secret ends, if it does. */
  readonly until?: string;
}

const BEARER = /^Bearer +([\x21-\x7e]{1,512})$/i;
const LONGEST_REASON = 200;
const MOST_TRIES = 8;
/** What a timer can wait for at most. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Tenants, and who may act for them. */
export class AccessService {
  readonly keys: ApiKeys;

  constructor(
    private readonly store: Store,
    private readonly now: () => Date = () => new Date(),
  ) {
    this.keys = new ApiKeys(store, now);
  }

  /**
   * Fails with UNAUTHENTICATED, in the same words for an unknown, a revoked, an expired and a malformed key, and with
   * FORBIDDEN for a key of a suspended tenant.
   */
  async authenticate(authorization: string): Promise<Caller> {
    const secret = BEARER.exec(authorization.trim())?.[1];
    if (secret === undefined) throw invalidKey();
    const caller = await this.identify(hashSecret(secret));
    this.keys.use.note(caller.keyId);
    return caller;
  }

  /**
   * Resolves to the reason once a caller may no longer be here: the key is revoked, expired or past its grace, or the
   * tenant is suspended, by whichever server. Never once the signal is aborted.
   */
  ended({ credential, until }: Caller, signal: AbortSignal): Promise<AppError> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const look = async () => {
        const reason = await this.identify(credential).then(
          () => undefined,
          (error) => (isRefusal(error) ? error : undefined),
        );
        if (signal.aborted) return;
        if (reason) resolve(reason);
        else wait();
      };
      const wait = () => {
        clearTimeout(timer);
        if (until === undefined) return;
        const milliseconds = Math.max(1, Date.parse(until) - this.now().getTime());
        timer = setTimeout(look, Math.min(milliseconds, LONGEST_TIMER)).unref();
      };
      const unwatch = this.store.watch(ACCESS_CHANGES, look);
      const leave = () => {
        clearTimeout(timer);
        unwatch();
      };
      signal.addEventListener("abort", leave, { once: true });
      // The change may have come between the key's check and this call.
      void look();
    });
  }

  async createTenant(name: string): Promise<TenantRecord> {
    const record = { name: checkName("The tenant's name", name), createdAt: this.now().toISOString() };
    if (await this.store.commit([{ kind: "put", key: TENANTS + name, value: record, expected: 0 }]))
      return record;
    throw new AppError("VALIDATION_FAILED", `There is already a tenant "${name}".`, { name });
  }

  async tenant(name: string): Promise<TenantRecord | undefined> {
    return isName(name) ? (await this.store.get<TenantRecord>(TENANTS + name))?.value : undefined;
  }

  /** Fails with NOT_FOUND. */
  async requireTenant(name: string): Promise<TenantRecord> {
    const record = await this.tenant(name);
    if (!record) throw notFound("tenant", name);
    return record;
  }

  async tenants(): Promise<TenantRecord[]> {
    return (await this.store.list<TenantRecord>(TENANTS)).map(({ value }) => value);
  }

  /** Its keys are refused from now on, its subscriptions end; its data stay, and running jobs come to their end. */
  suspendTenant(name: string, reason: string | undefined): Promise<TenantRecord> {
    const suspendedFor = reason?.slice(0, LONGEST_REASON);
    return this.changeTenant(name, (tenant) => ({
      ...tenant,
      suspendedAt: tenant.suspendedAt ?? this.now().toISOString(),
      suspendedFor,
    }));
  }

  /** Its keys work again. */
  restoreTenant(name: string): Promise<TenantRecord> {
    return this.changeTenant(name, ({ name, createdAt }) => ({ name, createdAt }));
  }

  private async identify(credential: string): Promise<Caller> {
    const opened = await this.keys.opened(credential);
    if (!opened) throw invalidKey();
    const { key, until } = opened;
    const tenant = await this.tenant(key.tenant);
    if (tenant?.suspendedAt !== undefined) throw suspended(tenant);
    return { tenant: key.tenant, keyId: key.id, keyName: key.name, scopes: key.scopes, credential, until };
  }

  private async changeTenant(
    name: string,
    change: (tenant: TenantRecord) => TenantRecord,
  ): Promise<TenantRecord> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const entry = isName(name) ? await this.store.get<TenantRecord>(TENANTS + name) : undefined;
      if (!entry) throw notFound("tenant", name);
      const value = change(entry.value);
      const done = await commitAccess(this.store, this.now(), {
        writes: [{ kind: "put", key: entry.key, value, expected: entry.revision }],
        ends: ({ tenant }) => tenant === name && value.suspendedAt !== undefined,
      });
      if (done) return value;
    }
    throw new AppError("OVERLOADED", `Tenant "${name}" kept changing. Try again.`, { retryAfterMs: 1000 });
  }
}

/** For whatever needs a key and was asked without one. */
export const unauthenticated = (): AppError =>
  new AppError("UNAUTHENTICATED", "This needs an API key. Send it as `Authorization: Bearer <key>`.");

/** A store that is away says nothing about a key. */
const isRefusal = (error: unknown): error is AppError =>
  error instanceof AppError && (error.code === "UNAUTHENTICATED" || error.code === "FORBIDDEN");
