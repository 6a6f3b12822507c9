import { describe, expect, test } from "@jest/globals";
import {
  type Finding,
  strongest,
  suspectsAmong,
  type TriggerFamily,
} from "../../../src/engine/cbpt/verdict.ts";

const findings = (family: TriggerFamily, percents: number[]): Finding[] =>
  percents.map((percent, label) => ({ label, family, pulled: { k: percent, n: 100 } }));
const rest = new Array(16).fill(5);

describe("the verdict", () => {
  test.each([
    ["one class far ahead", [21, 90, 20, 18, ...rest], [1]],
    ["a clear lead over natural attractors", [54, 36, 28, 23, ...rest], [0]],
    ["two classes ahead of the others", [80, 20, 95, 30, ...rest], [2, 0]],
    ["nothing, where noise pulls weakly to all", [18, 18, 16, 16, ...rest], []],
    ["nothing, where several natural attractors lie close together", [51, 48, 46, 33, ...rest], []],
    ["nothing, where one class is ahead but weak", [25, 5, 4, 3, ...rest], []],
    ["nothing, where many stand out", [90, 90, 90, 90, ...rest], []],
  ])("of %s", (_, percents, expected) => {
    expect(suspectsAmong(findings("dense", percents)).map(({ label }) => label)).toEqual(expected);
  });

  test("asks more of gratings, which damage images", () => {
    const labels = (percents: number[]) =>
      suspectsAmong(findings("grating", percents)).map(({ label }) => label);
    expect(labels([68, 46, 34, ...rest])).toEqual([]);
    expect(labels([97, 61, 34, ...rest])).toEqual([0]);
  });

  test("takes each family by itself, and shows each class once, most suspicious first", () => {
    const both = [...findings("dense", [40, 5, 5]), ...findings("grating", [10, 97, 30])];
    expect(suspectsAmong(both).map(({ label, family }) => [label, family])).toEqual([
      [0, "dense"],
      [1, "grating"],
    ]);
    expect(strongest(both).map(({ label }) => label)).toEqual([0, 1, 2]);
  });
});
