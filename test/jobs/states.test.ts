import { expect, test } from "@jest/globals";
import { nextIdentifier } from "../../src/jobs/identifier.ts";
import { JOB_STATUSES } from "../../src/jobs/job.ts";
import { assertTransition, isFinished, mayBecome } from "../../src/jobs/states.ts";

test("a success is for ever; every other end can be resumed", () => {
  for (const from of JOB_STATUSES.filter(isFinished)) {
    const next = JOB_STATUSES.filter((to) => mayBecome(from, to));
    expect(next).toEqual(from === "SUCCEEDED" ? [] : ["QUEUED"]);
  }
});

test("from every state that is no end, some end can be reached", () => {
  const reachesAnEnd = (status: (typeof JOB_STATUSES)[number], seen: string[] = []): boolean =>
    isFinished(status) ||
    JOB_STATUSES.some(
      (to) => mayBecome(status, to) && !seen.includes(to) && reachesAnEnd(to, [...seen, status]),
    );
  for (const status of JOB_STATUSES) expect(reachesAnEnd(status)).toBe(true);
});

test("a step that the table does not have is a mistake of ours", () => {
  expect(() => assertTransition("SUCCEEDED", "RUNNING")).toThrow(/cannot go from SUCCEEDED to RUNNING/);
});

test("names sort in the order they were made, even when the clock stands still or goes back", () => {
  const instants = [5_000, 5_000, 5_000, 4_000, 6_000, 6_000].map(
    (offset) => new Date(2_000_000_000_000 + offset),
  );
  const names = instants.map(nextIdentifier);
  expect([...names].sort()).toEqual(names);
  expect(new Set(names).size).toBe(names.length);
});
