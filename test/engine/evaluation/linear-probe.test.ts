import { describe, expect, test } from "@jest/globals";
import { linearPredictions } from "../../../src/engine/evaluation/linear-probe.ts";
import { randomStream } from "../../../src/engine/random.ts";

const [WIDTH, CLASSES, COUNT] = [8, 4, 400];

/** Rows around a point of their class, which lies so far along one axis; the others are noise of very different sizes. */
function clusters(seed: number, distance: number) {
  const random = randomStream(seed);
  const labels = Array.from({ length: COUNT }, () => random.below(CLASSES));
  const features = new Float32Array(COUNT * WIDTH);
  labels.forEach((label, index) => {
    for (let place = 0; place < WIDTH; place++)
      features[index * WIDTH + place] =
        place < CLASSES ? random.normal() + (place === label ? distance : 0) : 100 + 50 * random.normal();
  });
  return { features, labels };
}

const shareRight = (answers: readonly number[], labels: readonly number[]) =>
  answers.filter((answer, index) => answer === labels[index]).length / labels.length;

describe("a linear probe", () => {
  test("tells classes apart that lie apart, whatever the scale of what says nothing", () => {
    const tested = clusters(2, 6);
    const answers = linearPredictions(clusters(1, 6), tested.features, { width: WIDTH, classes: CLASSES });
    expect(shareRight(answers, tested.labels)).toBeGreaterThan(0.97);
  });

  test("finds on unseen images next to nothing where there is nothing", () => {
    const tested = clusters(2, 0);
    const answers = linearPredictions(clusters(1, 0), tested.features, { width: WIDTH, classes: CLASSES });
    expect(shareRight(answers, tested.labels)).toBeLessThan(0.35);
  });

  test("gives the same answers again", () => {
    const [seen, tested] = [clusters(1, 1), clusters(2, 1).features];
    const size = { width: WIDTH, classes: CLASSES };
    expect(linearPredictions(seen, tested, size)).toEqual(linearPredictions(seen, tested, size));
  });
});
