import { describe, expect, test } from "@jest/globals";
import { evaluateGate } from "../../src/services/gates.ts";

const probe = { ca: { k: 95, n: 100 }, asr: { k: 0, n: 1000 } };
const undefended = { ca: { k: 96, n: 100 }, asr: { k: 900, n: 1000 } };

describe("a gate", () => {
  test("without terms is open", () => {
    expect(evaluateGate({ promoteAlias: "live" }, probe, undefended)).toEqual({
      passed: true,
      alias: "live",
      reasons: [],
    });
  });

  test("looks at the upper end of the interval, not at the share itself", () => {
    const terms = { promoteAlias: "live" };
    expect(evaluateGate({ ...terms, maxAsr95: 0.004 }, probe, undefended).passed).toBe(true);
    // 0 of 1000 proves only that it is at most 0.38 %.
    expect(evaluateGate({ ...terms, maxAsr95: 0.003 }, probe, undefended).passed).toBe(false);
  });

  test("compares clean accuracy with the undefended", () => {
    expect(evaluateGate({ promoteAlias: "live", minCaDelta: -0.02 }, probe, undefended).passed).toBe(true);
    const { passed, reasons } = evaluateGate({ promoteAlias: "live", minCaDelta: 0 }, probe, undefended);
    expect(passed).toBe(false);
    expect(reasons).toHaveLength(1);
  });

  test("that could not be evaluated has not been passed", () => {
    const nothingFound = { ca: probe.ca };
    expect(evaluateGate({ promoteAlias: "live", maxAsr95: 1 }, nothingFound, nothingFound).passed).toBe(
      false,
    );
    const nothingMeasured = { ca: { k: 0, n: 0 } };
    expect(evaluateGate({ promoteAlias: "live", minCaDelta: -1 }, nothingMeasured, undefended).passed).toBe(
      false,
    );
  });

  test("tells everything that does not hold", () => {
    const terms = { promoteAlias: "live", maxAsr95: 0, minCaDelta: 0.5 };
    expect(evaluateGate(terms, probe, undefended).reasons).toHaveLength(2);
  });
});
