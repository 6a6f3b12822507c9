import { expect, test } from "@jest/globals";
import { Clock } from "../../../src/jobs/handlers/clock.ts";
import type { JobContext, JobReport } from "../../../src/jobs/job.ts";

function clock() {
  const reports: JobReport[] = [];
  const context = { report: (report: JobReport) => void reports.push(report) } as unknown as JobContext;
  const own = new Clock(context);
  const tell = (fraction: number) => {
    own.report({ phase: "tune", epoch: 1, epochs: 1, step: 1, steps: 9, losses: [], images: 1, fraction });
    return (reports.at(-1) as { etaSeconds?: number }).etaSeconds;
  };
  return { own, tell };
}

test("the time left is told once a second step has shown the pace, in a run that was resumed too", async () => {
  for (const first of [0.004, 0.6]) {
    const { own, tell } = clock();
    expect(tell(first)).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const left = tell(first + 0.1);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeCloseTo((own.seconds * (0.9 - first)) / 0.1, 0);
  }
});

test("a run that is over has no time left, however few steps it had", () => {
  expect(clock().tell(1)).toBe(0);
});
