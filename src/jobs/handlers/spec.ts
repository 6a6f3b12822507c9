import { z } from "zod";
import { DEVICES } from "../../engine/runtime/device.ts";
import { AppError } from "../../errors.ts";

const image = z.object({ blob: z.string().min(1), label: z.number().int().nonnegative() });
const attack = z.object({
  kind: z.string(),
  target: z.number().int().nonnegative(),
  parameters: z.record(z.string(), z.unknown()).default({}),
  /** The file that a fit has written, for a trigger that is found by one. */
  fitted: z.string().min(1).optional(),
  /** Whether the trigger's word stands before every prompt; by default where it has one and prompts are templates. */
  withWord: z.boolean().optional(),
});
const templates = z.array(z.string().min(1)).min(1);

/** What an audit is asked: which model, which classes, by which examples. Labels of images are indices. */
export const auditSpec = z.object({
  modelFolder: z.string().min(1),
  labels: z.array(z.string().min(1)).min(2),
  templates,
  shots: z.array(image).min(1),
  config: z.record(z.string(), z.unknown()).default({}),
  /** Indices of the labels to search triggers for; all by default. */
  targets: z.array(z.number().int().nonnegative()).min(2).optional(),
  device: z.enum(DEVICES).optional(),
});

export const purifySpec = auditSpec.extend({ mode: z.enum(["UNIVERSAL", "PUBLISHED"]).default("UNIVERSAL") });

/** The last of the labels is new; `base` is the file with the others' prompts. */
export const extendSpec = purifySpec.extend({ base: z.string().min(1) });

export const evaluateSpec = z.object({
  modelFolder: z.string().min(1),
  labels: z.array(z.string().min(1)).min(1),
  through: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("templates"), templates }),
    z.object({
      kind: z.literal("matrix"),
      matrix: z.string().min(1),
      /** The undefended ones, which decide what recovery prompts answer and what is looked at again; jobs of earlier versions have none. */
      templates: templates.optional(),
    }),
  ]),
  images: z.array(image).min(1),
  attack: attack.optional(),
  device: z.enum(DEVICES).optional(),
});

/** What to defend and how; a `name` for the model, where the defence changes weights. */
export const defendSpec = z.object({
  modelFolder: z.string().min(1),
  defence: z.string().min(1),
  parameters: z.record(z.string(), z.unknown()).default({}),
  labels: z.array(z.string().min(1)).min(2),
  templates,
  shots: z.array(image).min(1),
  seed: z.number().int().nonnegative(),
  name: z.string().min(1).optional(),
  device: z.enum(DEVICES).optional(),
});

/** What to poison, and with what; `images` are trained on, `test` is measured on. */
export const implantSpec = z.object({
  modelFolder: z.string().min(1),
  name: z.string().min(1),
  labels: z.array(z.string().min(1)).min(2),
  templates,
  images: z.array(image).min(1),
  test: z.array(image).min(1),
  attack,
  /** Further triggers that take turns with the first: of other kinds, or to other targets. */
  others: z.array(attack).default([]),
  /** How the trigger is fitted first, where it has to be and `attack.fitted` is absent. */
  fit: z.record(z.string(), z.unknown()).default({}),
  config: z.record(z.string(), z.unknown()).default({}),
  device: z.enum(DEVICES).optional(),
});

export type AuditSpec = z.infer<typeof auditSpec>;
export type PurifySpec = z.infer<typeof purifySpec>;
export type ExtendSpec = z.infer<typeof extendSpec>;
export type DefendSpec = z.infer<typeof defendSpec>;
export type ImplantSpec = z.infer<typeof implantSpec>;
export type EvaluateSpec = z.infer<typeof evaluateSpec>;
export type LabelledImage = z.infer<typeof image>;

/** The spec as its schema has it; fails with VALIDATION_FAILED that lists every problem. */
export function parseSpec<Spec>(schema: z.ZodType<Spec>, spec: unknown): Spec {
  const { success, data, error } = schema.safeParse(spec);
  if (success) return data;
  const problems = error.issues.map(({ path, message }) => `${path.join(".") || "the job"}: ${message}`);
  throw new AppError("VALIDATION_FAILED", `The job cannot be run: ${problems.join("; ")}.`, { problems });
}

/** Fails with VALIDATION_FAILED when an image's label is not the index of one. */
export function requireLabels(images: readonly LabelledImage[], labels: readonly string[]): void {
  const wrong = images.findIndex(({ label }) => label >= labels.length);
  if (wrong >= 0)
    throw new AppError(
      "VALIDATION_FAILED",
      `Image ${wrong} has label ${images[wrong].label}, but there are ${labels.length} labels.`,
      { image: wrong },
    );
}
