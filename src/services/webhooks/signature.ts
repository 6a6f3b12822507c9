import { createHmac, randomBytes } from "node:crypto";
import { AppError } from "../../errors.ts";

const SECRET = /^whsec_([A-Za-z0-9+/]{32,88}={0,2})$/;

export const newWebhookSecret = (): string => `whsec_${randomBytes(32).toString("base64")}`;

/** Fails with VALIDATION_FAILED for a secret that is not `whsec_` and the base64 of 24 to 64 bytes. */
export function checkWebhookSecret(secret: string): string {
  const text = SECRET.exec(secret)?.[1] ?? "";
  const bytes = Buffer.from(text, "base64");
  if (bytes.length >= 24 && bytes.length <= 64 && bytes.toString("base64") === text) return secret;
  throw new AppError(
    "VALIDATION_FAILED",
    "A webhook's secret is `whsec_` and the base64 of 24 to 64 random bytes. Leave it out, and one is made.",
    { path: ["secret"] },
  );
}

/**
 * The headers that a receiver checks: HMAC-SHA256 over `id.timestamp.body`, as in Standard Webhooks. The timestamp is
 * in seconds and that of the attempt, so that an old request cannot be replayed.
 */
export function signedHeaders(secret: string, id: string, now: Date, body: string): Record<string, string> {
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}
