import { Evidence } from "../engine/second-look/evidence.ts";
import { VIEW_NAMES, type ViewName } from "../engine/second-look/views.ts";
import { AppError } from "../errors.ts";
import type { ImageScores, Scorer } from "./scorer.ts";

/** An image in a view, and what is said of it there. */
export interface View extends Pick<ImageScores, "scores"> {
  readonly view: ViewName;
}

export interface SecondLookOptions<Image> {
  readonly scorer: Scorer;
  /** The embedding [D] of an image in a view; undefined where it cannot be seen so. */
  readonly embeddingOf: (image: Image, view: ViewName) => Promise<Float32Array | undefined>;
  /** Throws OVERLOADED where so many images would wait too long. */
  readonly assertRoom: (images: number) => void;
  /** Whether the answer can wait for that. */
  readonly leisure: AbortSignal;
}

/**
 * For each image the view that most speaks for the class that its views speak for; none where they speak for none. All
 * images of a request are seen in one view before any is in the next. Where there is no room for a view, or no time,
 * those so far decide: an answer by fewer, or as at one look, is better than none. While there is time, other
 * errors fail the request.
 */
export async function lookAgain<Image extends Pick<ImageScores, "seen">>(
  images: readonly Image[],
  { scorer, embeddingOf, assertRoom, leisure }: SecondLookOptions<Image>,
): Promise<ReadonlyMap<Image, View>> {
  const looks = images.flatMap((image) => (image.seen ? [{ image, evidence: evidenceFor(image.seen) }] : []));
  const unsettled = new Set(looks);
  try {
    for (const view of VIEW_NAMES) {
      if (unsettled.size === 0 || leisure.aborted) break;
      assertRoom(unsettled.size);
      await Promise.all(
        [...unsettled].map(async (look) => {
          const embedding = await embeddingOf(look.image, view);
          const there = embedding && scorer(embedding);
          const isSettled = !there?.seen || look.evidence.add(there.seen, { view, scores: there.scores });
          if (isSettled) unsettled.delete(look);
        }),
      );
    }
  } catch (error) {
    if (!leisure.aborted && !isOverload(error)) throw error;
  }
  return new Map(
    looks.flatMap(({ image, evidence: { witness } }) => (witness ? [[image, witness] as const] : [])),
  );
}

const evidenceFor = ({ undefended }: NonNullable<ImageScores["seen"]>) =>
  new Evidence<View>(undefended.label);

const isOverload = (error: unknown): boolean => error instanceof AppError && error.code === "OVERLOADED";
