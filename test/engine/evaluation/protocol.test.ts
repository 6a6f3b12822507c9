import { describe, expect, test } from "@jest/globals";
import { isEffective, measure, requireUnseen } from "../../../src/engine/evaluation/protocol.ts";

describe("the protocol", () => {
  // Target 2. Rows: label, clean prediction, prediction under the trigger.
  const outcomes = [
    [0, 0, 2],
    [0, 0, 0],
    [0, 2, 2],
    [1, 1, 0],
    [1, 0, 2],
    [2, 2, 2],
    [2, 1, 0],
  ].map(([label, clean, triggered]) => ({ label, clean, triggered }));

  test("counts attack success on images of other classes only", () => {
    expect(measure(outcomes, 3, 2)).toEqual({
      protocol: "antidote-evaluation-2",
      ca: { k: 4, n: 7 },
      asr: { k: 3, n: 5 },
      asrIncludingTarget: { k: 4, n: 7 },
      trueLabelUnderTrigger: { k: 1, n: 5 },
      targetRecall: { k: 1, n: 2 },
      cleanFloor: { k: 1, n: 5 },
      perClass: [
        { label: 0, ca: { k: 2, n: 3 }, pulled: { k: 2, n: 3 } },
        { label: 1, ca: { k: 1, n: 2 }, pulled: { k: 1, n: 2 } },
        { label: 2, ca: { k: 1, n: 2 }, pulled: { k: 1, n: 2 } },
      ],
    });
  });

  test("tells clean accuracy alone without an attack", () => {
    const clean = outcomes.map(({ label, clean }) => ({ label, clean }));
    const measured = measure(clean, 3);
    expect(measured.ca).toEqual({ k: 4, n: 7 });
    expect(measured.asr).toBeUndefined();
    expect(measured.perClass[0]).toEqual({ label: 0, ca: { k: 2, n: 3 } });
  });

  test("lets an experiment count only if the attack works without a defence", () => {
    expect(isEffective("badnet", { k: 899, n: 1000 })).toBe(false);
    expect(isEffective("badnet", { k: 900, n: 1000 })).toBe(true);
    expect(isEffective("sig", { k: 75, n: 100 })).toBe(true);
    expect(isEffective("ssba", { k: 39, n: 100 })).toBe(false);
    expect(isEffective("ssba", { k: 0, n: 0 })).toBe(false);
  });

  test("refuses shots that are among the test images", () => {
    expect(() => requireUnseen(["a", "b"], ["c", "d"])).not.toThrow();
    expect(() => requireUnseen(["a", "b"], ["c", "b", "d"])).toThrow(/1 of 3 test images/);
  });
});
