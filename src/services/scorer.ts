import { gatherRows } from "../engine/cbpt/features.ts";
import { guardedScores } from "../engine/cbpt/guard.ts";
import { ALARM_SHARE, rankOf, suspicionOf, type Tripwire } from "../engine/cbpt/tripwire.ts";
import { type Scores, score } from "../engine/clip/zero-shot.ts";
import { type Sighting, sightOf } from "../engine/second-look/evidence.ts";
import { AppError } from "../errors.ts";
import { assertPromptCount } from "./prompt-count.ts";
import type { VersionRecord } from "./prompts.ts";
import type { ServedModel } from "./serving.ts";
import type { TextFeatures, VersionText } from "./text-features.ts";
import type { Through } from "./through.ts";

/** How far the purified prediction of an image is from the undefended one, and whether clean images go so far. */
export interface Suspicion {
  readonly score: number;
  readonly rank: number;
  readonly alarm: boolean;
}

export interface ImageScores {
  /** For the labels that were asked for. */
  readonly scores: Scores;
  /** What the undefended prompts say, where they were looked at for the same labels. */
  readonly undefended?: Scores;
  /** Of a version that was calibrated. */
  readonly suspicion?: Suspicion;
  /** Whether the recovery prompts have answered. */
  readonly recovered: boolean;
  /** Whether a trigger may have brought the answer about. */
  readonly doubted: boolean;
  /** What a version's prompts and the undefended ones see, of all its labels. */
  readonly seen?: Sighting;
}

/** Scores an image by its embedding [D]. */
export type Scorer = (embedding: Float32Array) => ImageScores;

/**
 * Scores for the labels, in their order. An image's suspicion, and which prompts answer it, follow from all labels of the
 * version, whichever are asked for. Fails with VALIDATION_FAILED for a label that the version does not know and for too
 * many prompts, and with the signal's reason.
 */
export async function scorerOf(
  model: ServedModel,
  through: Through,
  labels: readonly string[],
  features: TextFeatures,
  signal: AbortSignal,
): Promise<Scorer> {
  const scale = model.checkpoint.logitScale;
  if (through.kind === "templates") {
    assertPromptCount(labels.length, through.templates.length);
    const matrix = await model.matrix(labels, through.templates, signal);
    return (embedding) => ({ ...UNDOUBTED, scores: score(embedding, matrix, scale) });
  }
  const { manifest, tripwire } = through.version;
  const text = await features.read(through.version);
  const some = labels === manifest.labels ? undefined : rowsOf(text, through.version, labels);
  // Nothing would come of all labels' undefended features, which may be thousands.
  if (some && !tripwire && !text.recovery && !text.suspected)
    return (embedding) => ({ ...UNDOUBTED, scores: score(embedding, some.purified, scale) });
  const guarded = { ...text, undefended: await model.matrix(manifest.labels, manifest.templates, signal) };
  return (embedding) => {
    const { scores, undefended, purified, recovered, doubted } = guardedScores(embedding, guarded, scale);
    const told = {
      recovered,
      doubted,
      suspicion: tripwire && suspicion(tripwire, undefended, purified),
      seen: { undefended: sightOf(undefended), purified: sightOf(purified) },
    };
    if (!some) return { scores, undefended, ...told };
    return { scores: score(embedding, recovered ? some.recovery! : some.purified, scale), ...told };
  };
}

const UNDOUBTED = { recovered: false, doubted: false } as const;

function suspicion(tripwire: Tripwire, undefended: Scores, purified: Scores): Suspicion {
  const suspected = suspicionOf(undefended.probabilities, purified.probabilities);
  const rank = rankOf(tripwire, suspected);
  return { score: suspected, rank, alarm: rank > ALARM_SHARE };
}

/** The text features of some labels, in their order. */
function rowsOf(
  { purified, recovery }: VersionText,
  { manifest }: VersionRecord,
  labels: readonly string[],
): { readonly purified: Float32Array; readonly recovery?: Float32Array } {
  const known = manifest.labels;
  const width = purified.length / known.length;
  const places = labels.map((label) => {
    const place = known.indexOf(label);
    if (place >= 0) return place;
    throw new AppError("VALIDATION_FAILED", `The shadow prompts do not know the label "${label}".`);
  });
  const gathered = (features: Float32Array) => gatherRows(features, width, places);
  return { purified: gathered(purified), ...(recovery ? { recovery: gathered(recovery) } : {}) };
}
