import { expect, test } from "@jest/globals";
import type { JobReport } from "../../src/jobs/job.ts";
import { StepPacer } from "../../src/jobs/step-pacer.ts";

const INTERVAL = 60_000;
const step = (number: number) => ({ kind: "step", step: number }) as unknown as JobReport;
const checkpoint: JobReport = { kind: "checkpoint", epoch: 1 };

function pacer() {
  const passed: JobReport[] = [];
  const clock = { now: 0 };
  return {
    passed,
    clock,
    pacer: new StepPacer(
      (report) => passed.push(report),
      INTERVAL,
      () => clock.now,
    ),
  };
}

test("the first step passes at once, then only the newest of each interval", () => {
  const { pacer: steps, passed, clock } = pacer();
  for (const number of [1, 2, 3]) steps.report(step(number));
  expect(passed).toEqual([step(1)]);
  clock.now = INTERVAL;
  steps.report(step(4));
  expect(passed).toEqual([step(1), step(4)]);
  steps.flush();
  expect(passed).toHaveLength(2);
});

test("a step that is held back passes before any other report, and nothing else is held back", () => {
  const { pacer: steps, passed } = pacer();
  steps.report(step(1));
  steps.report(step(2));
  steps.report(checkpoint);
  steps.report(checkpoint);
  expect(passed).toEqual([step(1), step(2), checkpoint, checkpoint]);
});

test("what is held back is passed at the end", () => {
  const { pacer: steps, passed } = pacer();
  steps.report(step(1));
  steps.report(step(2));
  steps.flush();
  expect(passed).toEqual([step(1), step(2)]);
});

test("what is held back passes by itself after the interval", async () => {
  const passed: JobReport[] = [];
  const told = new Promise<void>((resolve) => {
    const steps = new StepPacer((report) => passed.push(report) === 2 && resolve(), 20);
    steps.report(step(1));
    steps.report(step(2));
  });
  await told;
  expect(passed).toEqual([step(1), step(2)]);
});
