import { createHash } from "node:crypto";
import { AppError } from "../errors.ts";

/** What a key has started, stored under {@link idempotencyRecordKey}. */
export interface IdempotencyRecord {
  /** Digest of the input. */
  readonly input: string;
  /** The id of what was started: a job, or a schedule. */
  readonly jobId: string;
}

/** Where it is stored what a tenant's key has started. Fails with VALIDATION_FAILED for one that is no key. */
export function idempotencyRecordKey(tenant: string, kind: string, key: string): string {
  if (key.length === 0 || key.length > 255)
    throw new AppError("VALIDATION_FAILED", "An idempotency key has 1 to 255 characters.");
  const hashed = createHash("sha256").update(key).digest("hex");
  return `tenants/${tenant}/idempotency/${kind}/${hashed}`;
}

/** Fails with IDEMPOTENCY_CONFLICT where the key was used for other input. */
export function assertSameInput(
  { input }: IdempotencyRecord,
  digest: string,
  key: string,
  what: string,
): void {
  if (input === digest) return;
  throw new AppError(
    "IDEMPOTENCY_CONFLICT",
    `The idempotency key "${key.slice(0, 80)}" has started another ${what}, with other input. Use a new key.`,
  );
}
