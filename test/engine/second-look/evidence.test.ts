import { expect, test } from "@jest/globals";
import { Evidence, type Sighting, sightOf } from "../../../src/engine/second-look/evidence.ts";

const SUSPECTED = 7;
const both = (label: number, one: number, other = one): Sighting => ({
  undefended: { label, probability: one },
  purified: { label, probability: other },
});
const disagreeing: Sighting = {
  undefended: { label: SUSPECTED, probability: 1 },
  purified: { label: 1, probability: 1 },
};

test("one view that both prompts are sure of settles a class", () => {
  const evidence = new Evidence<string>(SUSPECTED);
  expect(evidence.add(both(1, 0.9, 0.85), "mirrored")).toBe(true);
  expect(evidence.witness).toBe("mirrored");
});

test("a view speaks for its class as the less sure of the prompts does, and two of them together", () => {
  const evidence = new Evidence<string>(SUSPECTED);
  expect(evidence.add(both(1, 0.99, 0.4), "mirrored")).toBe(false);
  expect(evidence.add(both(2, 0.45), "turned")).toBe(false);
  expect(evidence.witness).toBe("turned");
  expect(evidence.add(both(1, 0.5), "filtered")).toBe(true);
  expect(evidence.witness).toBe("filtered");
});

test("no view speaks for the suspected class, and none against it where most speaks for it", () => {
  const evidence = new Evidence<string>(SUSPECTED);
  expect(evidence.add(both(1, 0.4), "mirrored")).toBe(false);
  expect(evidence.witness).toBe("mirrored");
  expect(evidence.add(both(SUSPECTED, 0.5), "turned")).toBe(false);
  expect(evidence.witness).toBeUndefined();
  expect(evidence.add(both(SUSPECTED, 0.3), "filtered")).toBe(true);
  expect(evidence.witness).toBeUndefined();
});

test("views that the prompts disagree on, or are hardly sure of, speak for nothing", () => {
  const evidence = new Evidence<string>(SUSPECTED);
  expect(evidence.add(disagreeing, "mirrored")).toBe(false);
  expect(evidence.add(both(1, 0.2), "turned")).toBe(false);
  expect(evidence.witness).toBeUndefined();
});

test("a sight is of the class with the highest logit", () => {
  const scores = { logits: Float32Array.of(1, 3, 2), probabilities: Float32Array.of(0.125, 0.5, 0.375) };
  expect(sightOf(scores)).toEqual({ label: 1, probability: 0.5 });
});
