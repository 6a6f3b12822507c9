import { describe, expect, test } from "@jest/globals";
import { decodeState, encodeState } from "../../../src/engine/cbpt/state.ts";

describe("saved state", () => {
  const state = {
    phase: "tune",
    step: 3,
    triggers: Float32Array.of(0.1, -2, Number.MIN_VALUE, 3e38),
    nested: [{ counts: Int32Array.of(-1, 7) }, { empty: new Float32Array(0) }, null, "ü"],
  };

  test("comes back exactly, arrays and all, and encodes to the same bytes again", () => {
    const bytes = encodeState(state);
    expect(decodeState(bytes)).toEqual(state);
    expect(encodeState(decodeState(bytes))).toEqual(bytes);
  });

  test("can be read from the middle of a larger buffer", () => {
    const bytes = encodeState(state);
    const larger = new Uint8Array(bytes.length + 3);
    larger.set(bytes, 3);
    expect(decodeState(larger.subarray(3))).toEqual(state);
  });

  test.each([0, 7, 40, 150])("is refused when only %p bytes of it are left", (length) => {
    expect(() => decodeState(encodeState(state).subarray(0, length))).toThrow("cannot be read");
  });

  test("is refused when it is something else", () => {
    expect(() => decodeState(Buffer.from("{}".repeat(30)))).toThrow("cannot be read");
  });
});
