import { createHash } from "node:crypto";
import type { PromptTokenizer } from "./prompts.ts";

/**
 * `sha256:<hex>` of the token ids that the labels and the full stop become: all that prompts ask of a tokenizer.
 * Tokenizers that agree on it make the same prompts, whatever files they are read from.
 */
export function promptTokensDigest(tokenizer: PromptTokenizer, labels: readonly string[]): string {
  const ids = [...labels, "."].map((text) => tokenizer.encode(text));
  return `sha256:${createHash("sha256").update(JSON.stringify(ids)).digest("hex")}`;
}
