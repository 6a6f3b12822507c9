import { describe, expect, test } from "@jest/globals";
import { VIEW_NAMES } from "../../src/engine/second-look/views.ts";
import { AppError } from "../../src/errors.ts";
import type { ImageScores, Scorer } from "../../src/services/scorer.ts";
import { lookAgain } from "../../src/services/second-look.ts";

const [FIRST, SECOND, THIRD] = VIEW_NAMES;
const BANANA = 0;
const CAT = 1;

/** That both prompts see the class, so sure of it. */
const sight = (label: number, probability: number) => ({
  undefended: { label, probability },
  purified: { label, probability },
});

/** An embedding tells here what is seen in it: a class, and how surely. */
const scorer: Scorer = ([label, probability]) => ({
  scores: { logits: new Float32Array([label]), probabilities: new Float32Array([probability]) },
  recovered: false,
  doubted: false,
  seen: sight(label, probability),
});
const cat = (probability: number) => new Float32Array([CAT, probability]);

/** An image that a trigger has brought to bananas. */
const flagged = (name: string): { readonly name: string } & Pick<ImageScores, "seen"> => ({
  name,
  seen: sight(BANANA, 1),
});

const room = () => {};
const leisure = new AbortController().signal;
const overloaded = () => {
  throw new AppError("OVERLOADED", "Later.");
};

describe("lookAgain", () => {
  test("sees all images in a view before any in the next, and each only until it is settled", async () => {
    const [one, other] = [flagged("one"), flagged("other")];
    const seen: string[] = [];
    const rooms: number[] = [];
    const views = await lookAgain([one, other], {
      scorer,
      embeddingOf: async ({ name }, view) => {
        seen.push(`${name} ${view}`);
        return cat(name === "one" ? 0.9 : 0.5);
      },
      assertRoom: (images) => rooms.push(images),
      leisure,
    });
    expect(seen).toEqual([`one ${FIRST}`, `other ${FIRST}`, `other ${SECOND}`]);
    expect(rooms).toEqual([2, 1]);
    expect([views.get(one)?.view, views.get(other)?.view]).toEqual([FIRST, SECOND]);
  });

  test("where a view has no room, those so far decide", async () => {
    const image = flagged("image");
    let asked = 0;
    const views = await lookAgain([image], {
      scorer,
      embeddingOf: async () => cat(0.35),
      assertRoom: () => (++asked > 2 ? overloaded() : undefined),
      leisure,
    });
    expect(asked).toBe(3);
    expect(views.get(image)?.view).toBe(SECOND);
    const none = await lookAgain([image], {
      scorer,
      embeddingOf: overloaded,
      assertRoom: room,
      leisure,
    });
    expect(none.size).toBe(0);
  });

  test("when there is no time left, the views so far decide, and no other is begun", async () => {
    const image = flagged("image");
    const hurry = new AbortController();
    const seen: string[] = [];
    const views = await lookAgain([image], {
      scorer,
      embeddingOf: async (_, view) => {
        seen.push(view);
        if (view === THIRD) hurry.abort();
        hurry.signal.throwIfAborted();
        return cat(0.2);
      },
      assertRoom: room,
      leisure: hurry.signal,
    });
    expect(seen).toEqual([FIRST, SECOND, THIRD]);
    expect(views.get(image)?.view).toBe(SECOND);
  });

  test("an image that cannot be seen in a view is answered by those before it; other errors fail", async () => {
    const image = flagged("image");
    const options = { scorer, assertRoom: room, leisure };
    const views = await lookAgain([image], {
      ...options,
      embeddingOf: async (_, view) => (view === FIRST ? cat(0.5) : undefined),
    });
    expect(views.get(image)?.view).toBe(FIRST);
    const broken = new Error("The thread is gone.");
    await expect(lookAgain([image], { ...options, embeddingOf: () => Promise.reject(broken) })).rejects.toBe(
      broken,
    );
  });

  test("nothing is looked at whose prompts were not compared", async () => {
    const views = await lookAgain([{ seen: undefined }], {
      scorer,
      embeddingOf: overloaded,
      assertRoom: room,
      leisure,
    });
    expect(views.size).toBe(0);
  });
});
