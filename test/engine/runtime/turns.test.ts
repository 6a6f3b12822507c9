import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { Turns } from "../../../src/engine/runtime/turns.ts";

test("a few steps begin at once", () => {
  const turns = new Turns();
  const begun: number[] = [];
  for (const step of [1, 2, 3]) turns.enter(() => begun.push(step));
  expect(begun).toEqual([1, 2, 3]);
});

test("many begin in their order, in turns between which a timer is looked at, each after what the one before led to", async () => {
  const turns = new Turns();
  const told: string[] = [];
  let timer = 0;
  const timers = setInterval(() => timer++, 1);
  const steps = Array.from({ length: 40 }, (_, step) => step);
  for (const step of steps)
    turns.enter(() => {
      told.push(`begins ${step}`);
      // As long as the work of a request.
      for (const end = performance.now() + 2; performance.now() < end; );
      void Promise.resolve()
        .then(() => {})
        .then(() => told.push(`ends ${step}`));
    });
  // Those that began at once belong to the caller's own turn.
  const later = () => told.slice(told.indexOf("begins 4"));
  while (told.length < 2 * steps.length) await nextTurn();
  clearInterval(timers);
  expect(later()).toEqual(steps.slice(4).flatMap((step) => [`begins ${step}`, `ends ${step}`]));
  expect(timer).toBeGreaterThan(4);
});

test("what comes later does not overtake what waits", async () => {
  const turns = new Turns();
  const begun: number[] = [];
  const enter = (step: number) => turns.enter(() => begun.push(step));
  for (let step = 0; step < 10; step++) enter(step);
  await nextTurn();
  enter(10);
  while (begun.length < 11) await nextTurn();
  expect(begun).toEqual([...begun].sort((a, b) => a - b));
});
