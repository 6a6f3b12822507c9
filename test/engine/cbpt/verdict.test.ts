import { describe, expect, test } from "@jest/globals";
import {
  type Finding,
  notableGratings,
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

  test("where noise pulls to every class, of the one that its trigger comes nearer to than its own images", () => {
    const dense = (attractions: number[]): Finding[] =>
      attractions.map((attraction, label) => ({
        label,
        family: "dense",
        pulled: { k: 85, n: 100 },
        attraction,
      }));
    const labels = (attractions: number[]) => suspectsAmong(dense(attractions)).map(({ label }) => label);
    expect(labels([1.24, 1.0, 0.91, 0.93, 0.99, 0.86, 0.95, 0.97, 0.97, 1.04])).toEqual([0]);
    expect(labels([0.91, 0.87, 0.9, 0.91, 0.93, 0.82, 0.92, 0.91, 0.92, 0.95])).toEqual([]);
    expect(labels([1.24, 1.3, 0.91, 0.93, 0.99, 0.86, 0.95, 0.97, 0.97, 1.04])).toEqual([]);
  });

  test("of several ahead of the others those that are like the class itself, or the one that is most", () => {
    const labels = (first: number, second: number) =>
      suspectsAmong(
        findings("dense", [77, 83, 59, 57, ...rest]).map((finding) => ({
          ...finding,
          attraction: [first, second][finding.label] ?? 0.8,
        })),
      ).map(({ label }) => label);
    expect(labels(0.92, 1.05)).toEqual([1]);
    expect(labels(1.05, 0.92)).toEqual([0]);
    expect(labels(0.96, 1.05)).toEqual([1, 0]);
    expect(labels(0.8, 0.9)).toEqual([1]);
  });

  test("asks more of gratings, which damage images", () => {
    const labels = (percents: number[]) =>
      suspectsAmong(findings("grating", percents)).map(({ label }) => label);
    expect(labels([68, 46, 34, ...rest])).toEqual([]);
    expect(labels([97, 61, 34, ...rest])).toEqual([0]);
  });

  test("passes over a grating that only damages images: it brings none near to the class", () => {
    const gratings = (attraction: number) =>
      findings("grating", [97, 40, 34, ...rest]).map((finding) =>
        finding.label === 0 ? { ...finding, attraction } : finding,
      );
    expect(suspectsAmong(gratings(1.05)).map(({ label }) => label)).toEqual([0]);
    expect(suspectsAmong(gratings(0.91))).toEqual([]);
  });

  test("does not let a grating that only damages images hide one that brings them near to its class", () => {
    const gratings = findings("grating", [95, 78, 39, ...rest]);
    expect(notableGratings(gratings)).toEqual(gratings.slice(0, 2));
    expect(notableGratings(gratings.slice(1))).toEqual([]);
    const labels = (first: number, second: number) =>
      suspectsAmong(
        gratings.map((finding, index) => ({ ...finding, attraction: [first, second][index] })),
      ).map(({ label }) => label);
    expect(labels(1.06, 0.78)).toEqual([0]);
    expect(labels(1.06, 0.98)).toEqual([]);
    expect(labels(0.78, 1.06)).toEqual([]);
  });

  test("of patches asks for a wide lead", () => {
    const labels = (percents: number[]) =>
      suspectsAmong(findings("patch", percents)).map(({ label }) => label);
    expect(labels([100, 37, 36, ...rest])).toEqual([0]);
    expect(labels([89, 88, 81, ...rest])).toEqual([]);
    expect(labels([17, 14, 12, ...rest])).toEqual([]);
  });

  test("passes over a shade that only makes images dark: they come near to nothing", () => {
    const shades = (attraction: number) =>
      findings("shade", [100, 38, 31, ...rest]).map((finding) => ({ ...finding, attraction }));
    expect(suspectsAmong(shades(1.08)).map(({ label }) => label)).toEqual([0]);
    expect(suspectsAmong(shades(0.9))).toEqual([]);
  });

  test("suspects a word that pulls most images and is nearer than they are, not one that is only near", () => {
    const words = (percents: number[], attraction: number) =>
      findings("word", percents).map((finding) => ({
        ...finding,
        attraction: finding.label === 0 ? attraction : 0.7,
      }));
    const labels = (found: Finding[]) => suspectsAmong(found).map(({ label }) => label);
    expect(labels(words([91, 65, 20], 1.35))).toEqual([0]);
    expect(labels(words([47, 47, 36], 0.97))).toEqual([]);
    expect(labels(words([91, 65, 20], 0.9))).toEqual([]);
  });

  test("suspects as many among a few classes that are looked at further as among all", () => {
    const further = findings("patch", [20, 97, 95, 10, 12, 8]);
    expect(suspectsAmong(further)).toEqual([]);
    const all = [...findings("dense", [90, 20, 20, 20, ...rest]), ...further];
    expect(suspectsAmong(all).map(({ label, family }) => [label, family])).toEqual([
      [0, "dense"],
      [1, "patch"],
      [2, "patch"],
    ]);
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
