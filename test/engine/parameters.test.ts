import { describe, expect, test } from "@jest/globals";
import { choice, completeParameters, defaultsOf, real, whole } from "../../src/engine/parameters.ts";

const TABLE = {
  rate: real(0.5, [0, 1], "a share"),
  count: whole(3, [1, 9], "a number of things"),
  side: choice("left", ["left", "right"], "a side"),
} as const;

describe("parameters", () => {
  test("are the defaults where nothing is given", () => {
    const defaults = { rate: 0.5, count: 3, side: "left" };
    expect(defaultsOf(TABLE)).toEqual(defaults);
    expect(completeParameters("it", TABLE, undefined)).toEqual(defaults);
    expect(completeParameters("it", TABLE, { rate: null, side: undefined })).toEqual(defaults);
  });

  test("may be anything in their closed ranges", () => {
    const given = { rate: 1, count: 1, side: "right" };
    expect(completeParameters("it", TABLE, given)).toEqual(given);
  });

  test("are refused all at once, each with what it may be", () => {
    const complete = () => completeParameters("it", TABLE, { rate: 1.1, count: 2.5, side: "up", speed: 1 });
    expect(complete).toThrow(
      "The parameters of it are not valid: rate must be a number from 0 to 1, not 1.1; " +
        'count must be a whole number, not 2.5; side must be one of left, right, not "up"; ' +
        "speed is not known (known: rate, count, side).",
    );
  });

  test.each([[Number.NaN], [Number.POSITIVE_INFINITY], ["1"], [true]])("%p is no number", (rate) => {
    expect(() => completeParameters("it", TABLE, { rate })).toThrow("rate must be a number");
  });

  test.each([[3], ["text"], [[]]])("%p is no set of parameters", (given) => {
    expect(() => completeParameters("it", TABLE, given)).toThrow("must be an object");
  });
});
