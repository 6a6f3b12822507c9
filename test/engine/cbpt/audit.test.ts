import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Audit, startAudit, stepAudit } from "../../../src/engine/cbpt/audit.ts";
import { completeConfig } from "../../../src/engine/cbpt/config.ts";
import { row } from "../../../src/engine/cbpt/features.ts";
import { entrantsBeside } from "../../../src/engine/cbpt/further.ts";
import { startGratings } from "../../../src/engine/cbpt/gratings.ts";
import { planAudit } from "../../../src/engine/cbpt/plan.ts";
import { prepareProblem } from "../../../src/engine/cbpt/prepare.ts";
import type { Problem } from "../../../src/engine/cbpt/problem.ts";
import { auditProgress } from "../../../src/engine/cbpt/progress.ts";
import { decodeState, encodeState } from "../../../src/engine/cbpt/state.ts";
import { startUniversal } from "../../../src/engine/cbpt/universal.ts";
import type { Finding } from "../../../src/engine/cbpt/verdict.ts";
import { Workbench } from "../../../src/engine/cbpt/workbench.ts";
import { openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import type { ImageList } from "../../../src/engine/evaluation/encode.ts";
import { randomStream } from "../../../src/engine/random.ts";

const LABELS = ["cat", "dog", "a", "the"];
const [CAT, DOG, A, THE] = LABELS.keys();

/** Sees every image as what it is told to, if anything: as a model with one more backdoor would. */
class SpelledWorkbench extends Workbench {
  spell: number | undefined;

  override async encode(images: ImageList): Promise<Float32Array> {
    const { matrix, width } = this.problem;
    const features = await super.encode(images);
    if (this.spell !== undefined)
      for (let index = 0; index < images.length; index++)
        features.set(row(matrix, width, this.spell), index * width);
    return features;
  }
}

let problem: Problem;
let bench: SpelledWorkbench;
beforeAll(async () => {
  const random = randomStream(5);
  problem = await prepareProblem({
    checkpoint: await openCheckpoint(join(__dirname, "../../fixtures/clip/resnet")),
    config: completeConfig("UNIVERSAL", { radius: 2, innerSteps: 4, innerBatch: 2, gratingCycles: 0 }),
    labels: LABELS,
    templates: ["a {}"],
    shots: Array.from({ length: 12 }, (_, index) => ({
      label: index % LABELS.length,
      pixels: Float32Array.from({ length: 3 * 64 * 64 }, random.uniform),
    })),
    device: "cpu",
    threads: 1,
  });
  bench = new SpelledWorkbench(problem);
});
afterAll(() => bench.close());

/** An audit whose dense triggers have pulled so many of a hundred shots to each class; there are no gratings to try. */
const pulling = (...shares: number[]): Audit => ({
  stage: "gratings",
  round: 0,
  dense: shares.map((k, label): Finding => ({ label, family: "dense", pulled: { k, n: 100 } })),
  universal: startUniversal(problem),
  search: startGratings(problem),
});

/** Steps on to the end; `before` is told of every state, before the step that follows it. */
async function finished(audit: Audit, before: (audit: Audit) => void) {
  let state = audit;
  while (state.stage !== "done") {
    before(state);
    state = await stepAudit(bench, state);
  }
  return state;
}

const told = ({ findings }: { readonly findings: readonly Finding[] }, family: Finding["family"]) =>
  findings.filter((finding) => finding.family === family).map(({ label }) => label);

describe("an audit that has found a class", () => {
  test("looks for every other family in the others, those first that are pulled to most", async () => {
    const stages = new Set<string>();
    const done = await finished(pulling(10, 90, 20, 15), ({ stage }) => {
      stages.add(stage);
      bench.spell = DOG;
    });
    expect([...stages]).toEqual(["gratings", "fallback", "words", "refine"]);
    for (const family of ["patch", "shade", "word"] as const)
      expect(told(done, family)).toEqual([A, THE, CAT]);
    expect(done.suspects[0]).toMatchObject({ label: DOG, family: "dense" });
  });

  test("suspects another that a later family gives away, and looks for it no more", async () => {
    const done = await finished(pulling(10, 90, 20, 15), (audit) => {
      bench.spell = audit.stage === "fallback" && audit.turn === 0 ? CAT : undefined;
    });
    const [first, second] = done.suspects;
    expect([first, second].map(({ label, family }) => [label, family])).toEqual([
      [DOG, "dense"],
      [CAT, "patch"],
    ]);
    expect(second.triggers[0].family).toBe("patch");
    expect(told(done, "patch")).toEqual([A, THE, CAT]);
    // Two classes are left, too few to compare.
    expect(told(done, "shade")).toEqual([]);
  });

  test("keeps nothing of the search for dense triggers but them", async () => {
    const next = await stepAudit(bench, pulling(10, 90, 20, 15));
    if (next.stage !== "fallback") throw new Error(next.stage);
    expect(Object.keys(next.universal)).toEqual(["triggers"]);
    expect(next.contest.entrants).toEqual([A, THE, CAT]);
  });
});

test("an audit that has found nothing looks in every class", async () => {
  const next = await stepAudit(bench, pulling(10, 20, 20, 20));
  if (next.stage !== "fallback") throw new Error(next.stage);
  expect(next.contest.entrants).toEqual([CAT, DOG, A, THE]);
  expect(next.suspects).toEqual([]);
});

test("an audit that an earlier version saved goes on in all classes", async () => {
  bench.spell = undefined;
  const next = await stepAudit(bench, pulling(10, 20, 20, 20));
  if (next.stage !== "fallback") throw new Error(next.stage);
  const { suspects: _, contest, ...saved } = next;
  const { entrants: __, ...before } = contest;
  const audit = { ...saved, contest: before } as unknown as Audit;
  expect(await stepAudit(bench, audit)).toEqual(await stepAudit(bench, next));
});

describe("a second round of dense triggers", () => {
  const WORDS = ["cat", "dog", "a", "the"];
  /** Two fifths of twelve classes are five: an odd number. */
  const MANY = [...WORDS, ...WORDS.slice(0, 2).flatMap((one) => WORDS.map((other) => `${one} ${other}`))];
  let wide: Problem;
  let wideBench: SpelledWorkbench;
  beforeAll(async () => {
    const random = randomStream(6);
    wide = await prepareProblem({
      checkpoint: problem.checkpoint,
      config: completeConfig("UNIVERSAL", { innerSteps: 3, innerBatch: 1, gratingCycles: 0 }),
      labels: MANY,
      templates: ["a {}"],
      shots: MANY.map((_, label) => ({
        label,
        pixels: Float32Array.from({ length: 3 * 64 * 64 }, random.uniform),
      })),
      device: "cpu",
      threads: 1,
    });
    wideBench = new SpelledWorkbench(wide);
  });
  afterAll(() => wideBench.close());

  /** The first state of the second round, whose findings are made up: the later the label, the more is pulled to it. */
  async function secondRound() {
    let state = startAudit(wide);
    while (state.stage === "invert") state = await stepAudit(wideBench, state);
    if (state.stage !== "count") throw new Error(state.stage);
    const before = MANY.map(
      (_, label): Finding => ({
        label,
        family: "dense",
        pulled: { k: label, n: 100 },
      }),
    );
    return { stage: "invert", round: 1, universal: state.universal, before } as const;
  }

  async function untilGratings(audit: Audit) {
    let [state, steps] = [audit, 0];
    for (; state.stage === "invert" || state.stage === "count"; steps++)
      state = await stepAudit(wideBench, state);
    if (state.stage !== "gratings") throw new Error(state.stage);
    return { state, steps };
  }

  test("is for those that the first pulled to most, and leaves the others as they were", async () => {
    const begun = await secondRound();
    const { state, steps } = await untilGratings(begun);
    expect(steps).toBe(3 + 5);
    const size = 3 * 64 * 64;
    MANY.forEach((_, label) => {
      const part = ({ triggers }: { triggers: Float32Array }) =>
        triggers.slice(label * size, (label + 1) * size);
      const isTried = label >= MANY.length - 5;
      expect([label, part(state.universal).join() !== part(begun.universal).join()]).toEqual([
        label,
        isTried,
      ]);
      expect(state.dense[label].label).toBe(label);
      if (!isTried) expect(state.dense[label]).toBe(begun.before[label]);
      else expect(state.dense[label].attraction).toBeDefined();
    });
  });

  test("goes on the same when it was saved in its middle", async () => {
    let [saved, whole] = [await secondRound(), await untilGratings(await secondRound())] as [
      Audit,
      { state: Audit },
    ];
    for (let step = 0; step < 5; step++) saved = decodeState(encodeState(await stepAudit(wideBench, saved)));
    const { state } = await untilGratings(saved);
    expect(encodeState(state)).toEqual(encodeState(whole.state));
  });

  test("that an earlier version has begun is for all", async () => {
    const { before: _, ...begun } = await secondRound();
    const { steps } = await untilGratings(begun);
    expect(steps).toBe(3 + MANY.length);
  });

  test("is foretold by the plan, and told without a leap", async () => {
    const { steps } = await untilGratings(await secondRound());
    const { phases } = planAudit({ ...wide, prompts: { count: MANY.length, length: wide.layout.length } });
    const planned = (name: string) => phases.find((phase) => phase.name === name)?.steps ?? 0;
    expect(planned("invert") + planned("count")).toBe(3 + MANY.length + steps);
    const fractions: number[] = [];
    for (let state: Audit = await secondRound(); state.stage !== "gratings"; ) {
      fractions.push(auditProgress(wide, state).fraction);
      state = await stepAudit(wideBench, state);
    }
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(new Set(fractions).size).toBe(steps);
  });
});

test.each([
  [20, 0, 20],
  [20, 1, 8],
  [20, 2, 8],
  [6, 1, 4],
  [4, 1, 3],
  [3, 1, 0],
  [2, 1, 0],
  [1, 1, 0],
])("of %i classes of which %i are suspected, %i are looked at further", (targets, suspects, entrants) => {
  const of = { targets: Array.from({ length: targets }, (_, label) => label) };
  expect(entrantsBeside(of, suspects)).toBe(entrants);
});
