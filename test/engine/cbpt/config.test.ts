import { describe, expect, test } from "@jest/globals";
import {
  CBPT_PARAMETERS,
  completeConfig,
  defaultConfig,
  MODES,
  recordedConfig,
} from "../../../src/engine/cbpt/config.ts";

describe("the configuration", () => {
  test.each(MODES)("of mode %s is complete and within its own ranges by default", (mode) => {
    const config = defaultConfig(mode);
    expect(completeConfig(mode, config)).toEqual(config);
    expect(Object.keys(config).sort()).toEqual([...Object.keys(CBPT_PARAMETERS), "mode"].sort());
  });

  test("keeps the published values in the published mode", () => {
    expect(defaultConfig("PUBLISHED")).toMatchObject({
      alpha: 1,
      beta: 0.4,
      gamma: 0.4,
      epochs: 20,
      warmupEpochs: 5,
      batchSize: 32,
      learningRate: 2e-3,
      momentum: 0.9,
      weightDecay: 5e-4,
      innerSteps: 10,
      stepSize: 0.1,
      contextTokens: 4,
      position: "END",
      positive: "FARTHEST",
      views: 1,
    });
  });

  test("that an earlier version completed had neither margin nor recovery; one that was never complete is left as it is", () => {
    const { margin, recovery, mode, ...earlier } = defaultConfig("UNIVERSAL");
    expect(margin).toBeGreaterThan(0);
    expect(recovery).toBeGreaterThan(0);
    expect(recordedConfig(earlier)).toEqual({ ...earlier, margin: 0, recovery: 0 });
    expect(recordedConfig({ ...earlier, margin })).toEqual({ ...earlier, margin, recovery: 0 });
    expect(recordedConfig({ alpha: 1 })).toEqual({ alpha: 1 });
  });

  test.each(Object.entries(CBPT_PARAMETERS))("refuses %s out of its range", (name, parameter) => {
    const values =
      parameter.kind === "choice"
        ? ["NONE", 1]
        : [parameter.minimum - 1, parameter.maximum + 1, Number.NaN, "1"];
    for (const value of values) expect(() => completeConfig("UNIVERSAL", { [name]: value })).toThrow(name);
  });

  test("refuses more warm-up than epochs and a weakest dummy above the strongest", () => {
    expect(() => completeConfig("UNIVERSAL", { epochs: 3, warmupEpochs: 4 })).toThrow(
      "warmupEpochs must not be above epochs (3)",
    );
    expect(() => completeConfig("UNIVERSAL", { dummyWeakest: 5 })).toThrow("dummyWeakest must not be above");
  });

  test("refuses an unknown mode", () => {
    expect(() => completeConfig("OTHER" as "UNIVERSAL", {})).toThrow("UNIVERSAL, PUBLISHED");
  });
});
