import { AppError } from "../../errors.ts";
import type { Store } from "../../store/store.ts";
import { checkName } from "../names.ts";

/** What is counted as it happens, and can have a limit in a window. */
export const FLOWS = ["requests", "images", "computeSeconds"] as const;
export type Flow = (typeof FLOWS)[number];

/** All that can have a limit; what is stored has it at any time. */
export const RESOURCES = [...FLOWS, "storedBytes"] as const;
export type Resource = (typeof RESOURCES)[number];

/** Hears of what was asked for and refused, by the resource of which there was not enough. */
export type OnRefused = (resource: Resource) => void;

/** A calendar day or month, in UTC. */
export type QuotaWindow = "day" | "month";

export interface Quota {
  readonly limit: number;
  /** Absent for what is stored. */
  readonly window?: QuotaWindow;
}

/** As stored under `access/quotas/<tenant>`; without one there is no limit. */
export type Quotas = Partial<Readonly<Record<Resource, Quota>>>;

const WORDS: Readonly<Record<Resource, string>> = {
  requests: "requests",
  images: "images",
  computeSeconds: "compute seconds",
  storedBytes: "stored bytes",
};
const MOST_TRIES = 8;
const ONE_DAY = 24 * 3600 * 1000;

const keyOf = (tenant: string): string => `access/quotas/${tenant}`;

export async function readQuotas(store: Store, tenant: string): Promise<Quotas> {
  return (await store.get<Quotas>(keyOf(tenant)))?.value ?? {};
}

/** Sets one limit, or takes it away. Fails with VALIDATION_FAILED for one that is no whole number from 0 on. */
export async function writeQuota(
  store: Store,
  tenant: string,
  resource: Resource,
  { limit, window = "month" }: { readonly limit: number | undefined; readonly window?: QuotaWindow },
): Promise<Quotas> {
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 0))
    throw new AppError("VALIDATION_FAILED", "A limit is a whole number from 0 on.", { path: ["limit"] });
  const key = keyOf(checkName("The tenant's name", tenant));
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const entry = await store.get<Quotas>(key);
    const quota: Quota | undefined =
      limit === undefined ? undefined : resource === "storedBytes" ? { limit } : { limit, window };
    const value: Quotas = { ...entry?.value, [resource]: quota };
    if (await store.commit([{ kind: "put", key, value, expected: entry?.revision ?? 0 }])) return value;
  }
  throw new AppError("OVERLOADED", `The quotas of "${tenant}" kept changing. Try again.`, {
    retryAfterMs: 1000,
  });
}

/** The calendar day of a moment, as in 2026-11-26. */
export const dayOf = (now: Date): string => now.toISOString().slice(0, 10);

/** What the days of the window begin with that a moment is in. */
export const periodOf = (window: QuotaWindow, now: Date): string =>
  now.toISOString().slice(0, window === "day" ? 10 : 7);

export function endOfWindow(window: QuotaWindow, now: Date): Date {
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  return new Date(window === "day" ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1, 1));
}

/** Says which quota, its limit, what is used and when it begins anew; how long to wait where that is within a day. */
export function quotaExceeded(
  resource: Resource,
  { limit, window }: Quota,
  { used, asked, now }: { readonly used: number; readonly asked?: number; readonly now: Date },
): AppError {
  const resetsAt = window && endOfWindow(window, now);
  const wait = resetsAt && resetsAt.getTime() - now.getTime();
  const span = window === undefined ? "" : ` a ${window}`;
  const wish = asked === undefined ? "" : ` and ${rounded(asked)} more are asked for`;
  const renewal = resetsAt
    ? `It begins anew at ${resetsAt.toISOString()}`
    : "Delete what is not needed any more";
  return new AppError(
    "QUOTA_EXCEEDED",
    `The tenant may have ${limit} ${WORDS[resource]}${span}; ${rounded(used)} are used${wish}. ${renewal}, or ask the operator for more.`,
    {
      quota: resource,
      limit,
      used: rounded(used),
      ...(resetsAt ? { window, resetsAt: resetsAt.toISOString() } : {}),
      ...(wait !== undefined && wait <= ONE_DAY ? { retryAfterMs: wait } : {}),
    },
  );
}

const rounded = (amount: number): number => Math.round(amount * 10) / 10;
