import { z } from "zod";
import { completeConfig, MODES, POSITIONS, recordedConfig } from "../../engine/cbpt/config.ts";
import { fillTemplate } from "../../engine/clip/zero-shot.ts";
import { canonicalJson } from "../canonical.ts";
import { MANIFEST_FORMAT } from "../manifest.ts";

const MOST_LABELS = 10_000;
const LONGEST_TEXT = 200;
const MOST_TEMPLATES = 100;

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "is not a SHA-256 digest");
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
const line = z.string().regex(/^[^\u0000-\u001f\u007f]+$/, "has control characters");
const label = line.max(LONGEST_TEXT);
const count = z
  .strictObject({ k: z.number().int().nonnegative(), n: z.number().int().nonnegative() })
  .refine(({ k, n }) => k <= n, "counts more than there are");
const probe = z.strictObject({ ca: count, asr: count.optional() });

const config = z
  .looseObject({ mode: z.enum(MODES) })
  .refine(({ mode, ...rest }) => isComplete(mode, rest), "is not a complete set of valid parameters");

const tuned = {
  config,
  shots: z.number().int().positive(),
  dataset: digest,
  targets: z.array(label).optional(),
};

const source = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("cbpt"), ...tuned }),
  z.strictObject({ kind: z.literal("extension"), base: digest, label, ...tuned }),
  z.strictObject({
    kind: z.literal("defence"),
    defence: label,
    parameters: z.record(label, z.union([z.number(), label])),
    config,
    shots: tuned.shots,
    dataset: digest,
  }),
  z.strictObject({ kind: z.literal("coop"), file: digest }),
]);

/** Nothing unknown is let through: what is not understood cannot be part of what the digest names. */
export const manifestSchema = z.strictObject({
  format: z.literal(MANIFEST_FORMAT),
  model: z.strictObject({ name: label, weights: digest, preprocessing: digest }),
  tokenizer: digest,
  contextLength: z.number().int().positive(),
  labels: z
    .array(label)
    .min(1)
    .max(MOST_LABELS)
    .refine((labels) => new Set(labels).size === labels.length, "has a label twice"),
  contextTokens: z.number().int().positive(),
  position: z.enum(POSITIONS),
  templates: z
    .array(line.max(LONGEST_TEXT).refine(isTemplate, "has not one place for the label"))
    .min(1)
    .max(MOST_TEMPLATES),
  source,
  tensors: digest,
});

export const evidenceSchema = z.strictObject({
  probe,
  undefendedProbe: probe,
  gate: z
    .strictObject({
      terms: z.strictObject({
        maxAsr95: z.number().optional(),
        minCaDelta: z.number().optional(),
        promoteAlias: label,
      }),
      passed: z.boolean(),
      alias: label,
      reasons: z.array(line.max(1000)).max(10),
    })
    .optional(),
  tripwire: z.strictObject({ quantiles: z.array(z.number().min(0)).min(2).max(1001) }).optional(),
  code: label,
  device: label,
});

function isComplete(mode: (typeof MODES)[number], given: Record<string, unknown>): boolean {
  try {
    const recorded = recordedConfig(given);
    return canonicalJson(completeConfig(mode, recorded)) === canonicalJson({ ...recorded, mode });
  } catch {
    return false;
  }
}

function isTemplate(template: string): boolean {
  try {
    return fillTemplate(template, "").length >= 0;
  } catch {
    return false;
  }
}
